/**
 * Lines of a stream as they are stored: each `TIME TEXT\n`, TIME in microseconds of Unix time, 16 digits. Any bytes are a text but the
 * end of a line. Sorted by time; of two lines with the same time, the one that came first is first.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** Digits of a time, up to the year 2286. */
const DIGITS = 16;
/** Bytes before a line's text. */
export const HEAD = DIGITS + 1;
const NEWLINE = 0x0a;

/** Bytes of text of a full chunk: what a reader must hold of each stream at a time. */
export const FULL = 256 * 1024;
/** Bytes from which on compressing a chunk is worth it, and beyond which it is merged no more. */
export const LARGE = FULL / 2;

/** Fast, and nearly as small as slower levels for log lines. */
const LEVEL = 3;

export interface Lines {
  /** Times of the first and the last line. */
  first: number;
  last: number;
  count: number;
  text: Buffer;
}

/** One line as it is stored. `time` is bounded to what the form can hold. */
export function storedLine(time: number, text: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(stamp(time), 'latin1'), text, END]);
}

const END = Buffer.from('\n');

/** `TIME `. */
export function stamp(time: number): string {
  const bounded = Math.min(Math.max(Math.round(time), 0), 10 ** DIGITS - 1);
  return `${String(bounded).padStart(DIGITS, '0')} `;
}

/** The time of the line that begins at `from`. */
export function timeAt(text: Buffer, from: number): number {
  return Number(text.toString('latin1', from, from + DIGITS));
}

/** Where each line begins, and at last where the text ends. */
export function* linesOf(text: Buffer): Generator<{ from: number; to: number }> {
  for (let from = 0; from < text.length; ) {
    const to = text.indexOf(NEWLINE, from + HEAD);
    yield { from, to: to + 1 };
    from = to + 1;
  }
}

/** Sorted by time, in parts that are no larger than a full chunk where no single line is. */
export function chunksOf(text: Buffer): Lines[] {
  const lines = [...linesOf(text)].map(({ from, to }) => ({ time: timeAt(text, from), from, to }));
  const sorted = lines.every(({ time }, index) => index === 0 || time >= (lines[index - 1]?.time ?? 0));
  if (!sorted) lines.sort((a, b) => a.time - b.time);
  const parts: (typeof lines)[] = [];
  let size = Number.POSITIVE_INFINITY;
  for (const line of lines) {
    const length = line.to - line.from;
    if (size + length > FULL) {
      parts.push([]);
      size = 0;
    }
    parts.at(-1)?.push(line);
    size += length;
  }
  return parts.map((part) => ({
    first: part[0]?.time ?? 0,
    last: part.at(-1)?.time ?? 0,
    count: part.length,
    text: sorted
      ? text.subarray(part[0]?.from, part.at(-1)?.to)
      : Buffer.concat(part.map(({ from, to }) => text.subarray(from, to))),
  }));
}

export function pack(text: Buffer): Buffer {
  return zstdCompressSync(text, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } });
}

/** `size` is that of the text. */
export function unpack(data: Uint8Array, size: number): Buffer {
  // Into one piece of memory: to begin with small ones takes half as long again.
  return zstdDecompressSync(data, { maxOutputLength: Math.max(size, 1), chunkSize: Math.max(size + 1, 64) });
}
