import type { Random } from '../random.ts';

/** RFC 6455, 5.2: a frame from a client, which is masked. `length`: what its head says, which may be a lie. */
export function clientFrame(opcode: number, payload: Buffer, length = payload.length): Buffer {
  const head = Buffer.alloc(14);
  head.writeUInt8(0x80 | opcode, 0);
  head.writeUInt8(0x80 | 127, 1);
  head.writeBigUInt64BE(BigInt(length), 2);
  // A mask of zeros.
  return Buffer.concat([head, payload]);
}

const TEXT = 1;
const BINARY = 2;

/** What a client may send on any stream of the contract, and what it may not. */
export function frames(random: Random): Buffer {
  const all = [
    () => clientFrame(BINARY, random.bytes(64)),
    () => clientFrame(TEXT, Buffer.from('{"type":"end"}')),
    () => clientFrame(TEXT, Buffer.from('{"type":"resize","columns":80,"rows":24}')),
    () => clientFrame(TEXT, Buffer.from('{"type":"nonsense"}')),
    () => clientFrame(TEXT, random.bytes(20)),
    () => clientFrame(BINARY, random.bytes(10), 2 ** 40),
    () => clientFrame(8, random.bytes(1)),
    () => random.bytes(30),
  ];
  return Buffer.concat(Array.from({ length: 1 + random.below(3) }, () => random.pick(all)()));
}
