/** DNS (RFC 1035, 6891): questions that are nearly right, by UDP and TCP. */
import { mutate } from './mutate.ts';
import { packets, sendDatagrams, sendStreams } from './send.ts';
import { target } from './target.ts';

const { server, random, count } = target;

const NAMES = [
  'walt-server',
  'walt-server.walt',
  'none.walt',
  'example.org',
  '1.0.73.10.in-addr.arpa',
  'a'.repeat(63),
  '',
];
const TYPES = [1, 2, 5, 6, 12, 15, 16, 28, 33, 41, 43, 46, 48, 250, 251, 252, 255, 65_535];

function question(): Buffer {
  const head = Buffer.alloc(12);
  head.set(random.bytes(2), 0);
  head.writeUInt16BE(random.chance(80) ? 0x0100 : random.below(65_536), 2);
  head.writeUInt16BE(random.chance(90) ? 1 : random.below(4), 4);
  head.writeUInt16BE(random.chance(80) ? 0 : 1, 10);
  const labels = random
    .pick(NAMES)
    .split('.')
    .filter((label) => label !== '');
  const name = Buffer.concat([
    ...labels.map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`)),
    Buffer.of(0),
  ]);
  const tail = Buffer.alloc(4);
  tail.writeUInt16BE(random.pick(TYPES), 0);
  tail.writeUInt16BE(random.pick([1, 3, 255]), 2);
  // A name that points to itself (RFC 1035, 4.1.4) now and then.
  const named = random.chance(10) ? Buffer.from([0xc0, 12]) : name;
  const packet = Buffer.concat([head, named, tail]);
  return random.chance(50) ? mutate(packet, random) : packet;
}

function framed(): Buffer {
  const packet = question();
  const length = Buffer.alloc(2);
  length.writeUInt16BE(random.chance(90) ? packet.length : random.below(65_536), 0);
  return Buffer.concat([length, packet]);
}

const byTcp = Math.ceil(count / 10);
const answers = await sendDatagrams({ address: server, port: 53 }, packets(count - byTcp, question));
const streams = await sendStreams({ host: server, port: 53 }, packets(byTcp, framed), 8);
process.stdout.write(`${answers + streams} answers to ${count}\n`);
