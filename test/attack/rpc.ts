import { mutate } from './mutate.ts';
import { target } from './target.ts';

const { random } = target;

export function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [at, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, 4 * at);
  return bytes;
}

/** RFC 4506: a string, or opaque bytes. */
export function opaque(value: Buffer | string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([words(bytes.length), bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

/** RFC 5531: a call as root, as AUTH_SYS has it, or as nobody; nearly right. */
export function call(program: number, version: number, procedure: number, body: Buffer): Buffer {
  const system = Buffer.concat([words(0), opaque('node'), words(0, 0, 0)]);
  const credentials = random.chance(50) ? Buffer.concat([words(1), opaque(system)]) : words(0, 0);
  const packet = Buffer.concat([
    words(random.below(2 ** 31), 0, 2, program, version, procedure),
    credentials,
    words(0, 0),
    body,
  ]);
  return random.chance(60) ? mutate(packet, random) : packet;
}

/** RFC 5531, 11: as it goes over TCP, in one piece; now and then its length is a lie. */
export function record(packet: Buffer): Buffer {
  const length = random.chance(90) ? packet.length : random.below(2 ** 20);
  return Buffer.concat([words(0x8000_0000 + length), packet]);
}
