import type { Random } from '../random.ts';

const EXTREMES = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/** A packet that is nearly right: some bytes changed, left out, repeated, or numbers made extreme. */
export function mutate(packet: Buffer, random: Random): Buffer {
  let bytes: Buffer = Buffer.from(packet);
  for (let changes = 1 + random.below(4); changes > 0; changes -= 1) bytes = change(bytes, random);
  return bytes;
}

function change(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length + 1);
  const end = at + random.below(bytes.length - at + 1);
  switch (random.below(7)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.below(40)), bytes.subarray(at)]);
    case 4:
      if (at + 4 <= bytes.length) bytes.writeUInt32BE(random.pick(EXTREMES), at);
      return bytes;
    case 5:
      if (at + 2 <= bytes.length) bytes.writeUInt16BE(random.pick(EXTREMES) & 0xffff, at);
      return bytes;
    default:
      if (at < bytes.length) bytes[at] = random.below(256);
      return bytes;
  }
}
