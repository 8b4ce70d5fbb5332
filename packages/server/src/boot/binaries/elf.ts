import type { Architecture } from '@walt/contract';

/** `e_machine` of an ELF header (elf(5)), by the architecture that runs it. */
const MACHINES = new Map<number, Architecture>([
  [3, 'i386'],
  [40, 'armhf'],
  [62, 'amd64'],
  [183, 'arm64'],
]);

/** Type of the program header that names a dynamic loader. */
const PT_INTERP = 3;

/**
 * What a little-endian ELF program runs on, and whether it does without a dynamic loader. Undefined when `bytes` do not
 * start like such a program, or are for another machine.
 */
export function inspectElf(bytes: Buffer): { architecture: Architecture; isStatic: boolean } | undefined {
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[5] !== 1) return undefined;
  const architecture = MACHINES.get(bytes.readUInt16LE(18));
  if (architecture === undefined) return undefined;
  const wide = bytes[4] === 2;
  const start = wide ? Number(bytes.readBigUInt64LE(32)) : bytes.readUInt32LE(28);
  const size = bytes.readUInt16LE(wide ? 54 : 42);
  const count = bytes.readUInt16LE(wide ? 56 : 44);
  for (let i = 0; i < count; i += 1) {
    const offset = start + i * size;
    if (offset + 4 > bytes.length) return undefined;
    if (bytes.readUInt32LE(offset) === PT_INTERP) return { architecture, isStatic: false };
  }
  return { architecture, isStatic: true };
}
