/** Lines of chunks by their time, whatever issuers wrote into them: what waits for earlier lines has a bound. */
import type { ChunkHead } from '../chunk-reads.ts';
import type { Line } from './output.ts';

/** Chunks that are asked for together. */
const TOGETHER = 16;
/** Bytes that a line takes besides its text. */
const EACH = 256;

/** The lines that are wanted of each portion of chunks, portion after portion. */
export type Source = (portions: readonly (readonly ChunkHead[])[]) => AsyncGenerator<Line[]>;

export type ByTime = (a: Line, b: Line) => number;

export interface Bounds {
  /** Bytes that wait: some hundred full chunks whose times overlap. */
  most: number;
  /** How often all chunks may be read. */
  passes: number;
}
const BOUNDS: Bounds = { most: 128 * 1024 * 1024, passes: 50 };

export function portionsOf(heads: readonly ChunkHead[]): ChunkHead[][] {
  return Array.from({ length: Math.ceil(heads.length / TOGETHER) }, (_, at) =>
    heads.slice(at * TOGETHER, (at + 1) * TOGETHER),
  );
}

/** What is told of what is there: lines from a time on, but for the first few. */
export interface Start {
  from: number;
  skip: number;
}
export const BEGINNING: Start = { from: Number.NEGATIVE_INFINITY, skip: 0 };

/**
 * All lines from a time on, in the order of `byTime`, in portions. `heads` are sorted by their first line: what comes before that of the
 * next one is complete. Where too much would wait for that, the later half is given up, and read again in a further pass. Where that is
 * not enough, lines are told as they come: somebody has filled chunks with lines of all times.
 */
export async function* linesByTime(
  heads: readonly ChunkHead[],
  source: Source,
  byTime: ByTime,
  start: number,
  { most, passes }: Bounds = BOUNDS,
): AsyncGenerator<Line[]> {
  let from = start;
  let left = heads.filter(({ last }) => last >= from);
  for (let pass = 1; left.length > 0; pass += 1) {
    const portions = portionsOf(left);
    const waiting = new Waiting(byTime, from, most, pass < passes);
    let at = 0;
    for await (const lines of source(portions)) {
      at += 1;
      waiting.add(lines);
      const next = portions[at]?.[0]?.first ?? Number.POSITIVE_INFINITY;
      if (next >= waiting.end) break;
      yield waiting.take(next);
      yield waiting.trim();
    }
    yield waiting.take(waiting.end);
    from = waiting.end;
    const { end } = waiting;
    left = left.filter(({ last }) => last >= end);
  }
}

/** Where the last lines begin, so many: chunks are read from the end, until none can have a later one. */
export async function startOfLast(
  heads: readonly ChunkHead[],
  count: number,
  source: Source,
): Promise<Start> {
  const portions = portionsOf(heads.toSorted((a, b) => b.last - a.last));
  let times: number[] = [];
  let { from, skip } = BEGINNING;
  let at = 0;
  for await (const lines of source(portions)) {
    at += 1;
    for (const { time } of lines) times.push(time);
    times.sort((a, b) => a - b);
    const others = times.slice(0, -count);
    times = times.slice(-count);
    const oldest = times.length < count ? Number.NEGATIVE_INFINITY : (times[0] ?? from);
    if (oldest > from) skip = 0;
    from = oldest;
    skip += others.filter((time) => time === from).length;
    if ((portions[at]?.[0]?.last ?? 0) < from) break;
  }
  return { from, skip };
}

/** Lines of one pass that wait for earlier ones. */
export class Waiting {
  readonly #byTime: ByTime;
  /** Earlier lines were told by an earlier pass. */
  readonly #from: number;
  readonly #most: number;
  readonly #mayDrop: boolean;
  /** Sorted. */
  #lines: Line[] = [];
  size = 0;
  /** Lines from this time on are for the next pass. */
  end = Number.POSITIVE_INFINITY;

  constructor(byTime: ByTime, from: number, most: number, mayDrop: boolean) {
    this.#byTime = byTime;
    this.#from = from;
    this.#most = most;
    this.#mayDrop = mayDrop;
  }

  add(lines: readonly Line[]): void {
    for (const line of lines) {
      if (line.time < this.#from || line.time >= this.end) continue;
      this.#lines.push(line);
      this.size += costOf(line);
    }
    this.#lines.sort(this.#byTime);
  }

  /** Those before `time`, which wait no more. */
  take(time: number): Line[] {
    const taken = this.#before(time);
    this.#keep(this.#lines.slice(taken.length));
    return taken;
  }

  /** Sees to it that not too much waits; what it answers waits no more. */
  trim(): Line[] {
    if (this.#held() > Math.max(this.#most, 2 * this.size)) this.#compact();
    if (this.size <= this.#most) return [];
    if (!this.#mayDrop) return this.take(this.#timeAt(this.size - this.#most / 2) + 1);
    const first = this.#lines[0]?.time ?? 0;
    const middle = this.#timeAt(this.#most / 2);
    // Of lines with the same time, none is given up without the others.
    this.end = middle > first ? middle : first + 1;
    this.#keep(this.#before(this.end));
    if (this.size <= this.#most) return [];
    // They have one time, and wait for earlier ones only where there may be some.
    if (first > this.#from) this.end = first;
    return first > this.#from ? this.#drop() : this.take(this.end);
  }

  #drop(): [] {
    this.#keep([]);
    return [];
  }

  /** Bytes of memory that these lines keep: each keeps that of its whole chunk. */
  #held(): number {
    const all = new Set(this.#lines.map(({ text }) => text.buffer));
    return all.values().reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  #compact(): void {
    const memory = Buffer.concat(this.#lines.map(({ text }) => text));
    let at = 0;
    this.#lines = this.#lines.map((line) => {
      const from = at;
      at += line.text.length;
      return { ...line, text: memory.subarray(from, at) };
    });
  }

  /** The time of the line that is so many bytes behind the first. */
  #timeAt(bytes: number): number {
    let size = 0;
    for (const line of this.#lines) {
      size += costOf(line);
      if (size >= bytes) return line.time;
    }
    return Number.POSITIVE_INFINITY;
  }

  #before(time: number): Line[] {
    const complete = this.#lines.findIndex((line) => line.time >= time);
    return complete === -1 ? this.#lines : this.#lines.slice(0, complete);
  }

  #keep(lines: Line[]): void {
    this.#lines = lines;
    this.size = lines.reduce((sum, line) => sum + costOf(line), 0);
  }
}

function costOf({ text }: Line): number {
  return text.length + EACH;
}
