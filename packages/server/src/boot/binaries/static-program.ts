/** Programs of some dozen instructions, which are written down as machine code: no compiler is needed where WalT is installed. */

/** Machine code, and what it says. */
export type Code = readonly (readonly [code: string, assembly: string])[];

/** Numbers of CPUs in ELF files (elf(5)). */
const MACHINES = { amd64: 62, arm64: 183 } as const;

/** Where it is put in memory. */
const ADDRESS = 0x400000;
/** Bytes of the headers in front of it. */
const HEADERS = 64 + 56;

/** An ELF file that needs no other one. */
export function staticProgram(architecture: keyof typeof MACHINES, program: Code): Buffer {
  const code = Buffer.from(program.map(([bytes]) => bytes.replaceAll(' ', '')).join(''), 'hex');
  const size = HEADERS + code.length;
  const headers = Buffer.alloc(HEADERS);
  headers.write('7f454c46020101', 'hex'); // ELF of 64 bits, little-endian
  headers.writeUInt16LE(2, 16); // ET_EXEC
  headers.writeUInt16LE(MACHINES[architecture], 18);
  headers.writeUInt32LE(1, 20); // EV_CURRENT
  headers.writeBigUInt64LE(BigInt(ADDRESS + HEADERS), 24); // e_entry
  headers.writeBigUInt64LE(64n, 32); // e_phoff
  headers.writeUInt16LE(64, 52); // e_ehsize
  headers.writeUInt16LE(56, 54); // e_phentsize
  headers.writeUInt16LE(1, 56); // e_phnum
  headers.writeUInt32LE(1, 64); // PT_LOAD
  headers.writeUInt32LE(5, 68); // PF_R | PF_X
  headers.writeBigUInt64LE(BigInt(ADDRESS), 80); // p_vaddr
  headers.writeBigUInt64LE(BigInt(size), 96); // p_filesz
  headers.writeBigUInt64LE(BigInt(size), 104); // p_memsz
  headers.writeBigUInt64LE(4096n, 112); // p_align
  return Buffer.concat([headers, code]);
}
