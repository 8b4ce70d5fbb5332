/** DHCP (RFC 2131, 2132): messages that are nearly right, from machines that nobody has. */
import { mutate } from './mutate.ts';
import { packets, sendDatagrams } from './send.ts';
import { target } from './target.ts';

const { server, random, count } = target;

const option = (code: number, value: Buffer | string) =>
  Buffer.concat([Buffer.from([code, Buffer.from(value).length & 255]), Buffer.from(value)]);
const CLASSES = [
  'PXEClient:Arch:00000:UNDI:002001',
  'PXEClient:Arch:00007',
  'HTTPClient:Arch:00016:UNDI:003001',
  'U-Boot.armv8',
  'iPXE',
  'udhcp',
  '%s%n\x9b',
];
const NAMES = ['a', 'walt-server', '..', 'x'.repeat(200), 'bad name\n', '-'];

function message(): Buffer {
  const head = Buffer.alloc(236);
  head.set([1, 1, 6, 0], 0);
  head.set(random.bytes(4), 4);
  // Answers are to be broadcast.
  head.set([0x80, 0], 10);
  // A few hardware addresses come again, most do not; locally administered.
  head.set([2, 0, 0, random.below(40), random.below(256), random.below(4)], 28);
  const options = [
    option(53, Buffer.from([1 + random.below(9)])),
    option(60, random.pick(CLASSES)),
    option(12, random.pick(NAMES)),
    option(61, random.bytes(random.below(20))),
    option(55, random.bytes(random.below(30))),
    option(50, Buffer.from([10, 73, random.below(256), random.below(256)])),
    option(54, Buffer.from(server.split('.').map(Number))),
    option(77, random.bytes(random.below(10))),
    option(82, random.bytes(random.below(20))),
    option(93, Buffer.from([random.below(2), random.below(24)])),
  ].filter(() => random.chance(60));
  const packet = Buffer.concat([head, Buffer.from([99, 130, 83, 99]), ...options, Buffer.from([255])]);
  return random.chance(50) ? mutate(packet, random) : packet;
}

// Of the subnet: a machine that has an address knows no way to 255.255.255.255.
const to = { address: server.replace(/\.\d+\.\d+$/, '.255.255'), port: 67, from: 68, broadcast: true };
const answers = await sendDatagrams(to, packets(count, message));
process.stdout.write(`${answers} answers to ${count}\n`);
