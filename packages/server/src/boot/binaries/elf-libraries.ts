/** What a dynamically linked program needs to start, read from its headers (elf(5)). */

/** Types of program headers and of entries of the dynamic section. */
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NULL = 0n;
const DT_NEEDED = 1n;
const DT_STRTAB = 5n;

interface Segment {
  type: number;
  offset: number;
  address: bigint;
  size: number;
}

export interface DynamicNeeds {
  /** Path of its loader; undefined in libraries and static programs. */
  interpreter: string | undefined;
  /** File names of libraries, as `libc.so.6`. */
  libraries: string[];
}

/** Throws RangeError when `bytes` are no little-endian ELF file, or a broken one. */
export function dynamicNeeds(bytes: Buffer): DynamicNeeds {
  if (bytes.length < 52 || bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[5] !== 1) {
    throw new RangeError('not a little-endian ELF file');
  }
  const wide = bytes[4] === 2;
  const segments = readSegments(bytes, wide);
  const interpreter = segments.find(({ type }) => type === PT_INTERP);
  return {
    interpreter: interpreter && text(bytes, interpreter.offset),
    libraries: readLibraries(bytes, wide, segments),
  };
}

function readSegments(bytes: Buffer, wide: boolean): Segment[] {
  const start = wide ? Number(bytes.readBigUInt64LE(32)) : bytes.readUInt32LE(28);
  const size = bytes.readUInt16LE(wide ? 54 : 42);
  const count = bytes.readUInt16LE(wide ? 56 : 44);
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * size;
    const word = (wideOffset: number, narrowOffset: number) =>
      wide ? bytes.readBigUInt64LE(at + wideOffset) : BigInt(bytes.readUInt32LE(at + narrowOffset));
    return {
      type: bytes.readUInt32LE(at),
      offset: Number(word(8, 4)),
      address: word(16, 8),
      size: Number(word(32, 16)),
    };
  });
}

function readLibraries(bytes: Buffer, wide: boolean, segments: readonly Segment[]): string[] {
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  if (!dynamic) return [];
  const width = wide ? 8 : 4;
  const word = (at: number) => (wide ? bytes.readBigUInt64LE(at) : BigInt(bytes.readUInt32LE(at)));
  const names: number[] = [];
  let strings: bigint | undefined;
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 2 * width) {
    const tag = word(at);
    if (tag === DT_NULL) break;
    if (tag === DT_NEEDED) names.push(Number(word(at + width)));
    if (tag === DT_STRTAB) strings = word(at + width);
  }
  const table = strings === undefined ? undefined : fileOffset(segments, strings);
  return table === undefined ? [] : names.map((name) => text(bytes, table + name));
}

/** Where in the file lies what the program finds at an address. */
function fileOffset(segments: readonly Segment[], address: bigint): number | undefined {
  const holder = segments.find(
    (one) => one.type === PT_LOAD && address >= one.address && address < one.address + BigInt(one.size),
  );
  return holder && holder.offset + Number(address - holder.address);
}

function text(bytes: Buffer, start: number): string {
  const end = bytes.indexOf(0, start);
  return bytes.toString('latin1', start, end < 0 ? undefined : end);
}
