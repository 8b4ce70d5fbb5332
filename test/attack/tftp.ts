/** TFTP (RFC 1350, 2347, 7440): requests and answers that are nearly right. */
import { mutate } from './mutate.ts';
import { packets, sendDatagrams } from './send.ts';
import { target } from './target.ts';

const { server, random, count } = target;

const PATHS = [
  'boot.scr.uimg',
  'u-boot?board=qemu_arm64',
  'start.uboot',
  'undionly.kpxe',
  'snponly.efi',
  '/..//snponly.efi',
  'node/initramfs',
  '../x',
  '',
];
const OPTIONS = ['blksize', 'tsize', 'timeout', 'windowsize', 'multicast', 'BLKSIZE'];
const VALUES = ['0', '1', '8', '512', '65464', '99999999999', '-1', 'x', ''];

function request(): Buffer {
  const options = Array.from(
    { length: random.below(5) },
    () => `${random.pick(OPTIONS)}\0${random.pick(VALUES)}\0`,
  );
  const mode = random.pick(['octet', 'netascii', 'mail', 'OCTET']);
  const packet = Buffer.from(
    `\0${String.fromCharCode(1 + random.below(7))}${random.pick(PATHS)}\0${mode}\0${options.join('')}`,
  );
  return random.chance(50) ? mutate(packet, random) : packet;
}

/** To the port of a transfer: an acknowledgement of some block, an error, or nonsense. */
function answer(): Buffer | undefined {
  if (random.chance(30)) return undefined;
  const packet = Buffer.from([0, 3 + random.below(4), 0, random.below(4)]);
  return random.chance(30) ? mutate(packet, random) : packet;
}

const answers = await sendDatagrams({ address: server, port: 69, answer }, packets(count, request));
process.stdout.write(`${answers} answers to ${count}\n`);
