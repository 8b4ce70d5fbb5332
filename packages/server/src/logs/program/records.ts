/** What a node's spool holds (packages/node, walt-log): records `STAMP STREAM TEXT\n`, and empty lines. Hostile until it was read here. */
import { LOG_STREAM } from '@walt/contract';
import { HEAD, stamp } from './chunk.ts';
import { type Clock, serverTime } from './clock.ts';

const NEWLINE = 0x0a;
const BLANK = 0x20;
const AT = 0x40;

/** Bytes of a stamp: `@`, seconds, a point, six digits. */
const MAX_STAMP = 20;
const MAX_STREAM = 128;
/** Bytes of a line that are kept as one; of a longer one, the rest is the next line. */
export const MAX_LINE = 64 * 1024;

/** Where what is no record goes. */
const UNREADABLE = 'walt-log';

/** Longest that a node's lines may have waited in its spool, in microseconds, and how far they may be in the future. */
const OLDEST = 10 * 365 * 86_400 * 1e6;
const AHEAD = 1e6;

/**
 * Text of each stream as it is stored (chunk.ts), of whole records; what comes behind the last newline is left for the next time.
 * Times by a node's clock (without `@`) become the server's; those that no clock can have become `now`, that of the arrival.
 * `newest`: the latest time by the node's clock, 0 if there is none.
 */
export function readRecords(
  body: Buffer,
  clock: Clock,
  now: number,
): { streams: Map<string, Buffer[]>; length: number; newest: number } {
  const streams = new Map<string, StreamText>();
  const add = (stream: string, time: number, first: number, end: number) => {
    const known = streams.get(stream);
    const text = known ?? new StreamText();
    if (!known) streams.set(stream, text);
    for (let at = first; at === first || at < end; at += MAX_LINE) {
      text.add(time, at, Math.min(at + MAX_LINE, end));
    }
  };
  let newest = 0;
  let from = 0;
  for (let to = body.indexOf(NEWLINE); to !== -1; to = body.indexOf(NEWLINE, from)) {
    const start = from;
    const record = body.subarray(start, to);
    from = to + 1;
    // Writers end whatever another one may have left unended.
    if (record.length === 0) continue;
    const stampEnd = record.subarray(0, MAX_STAMP + 1).indexOf(BLANK);
    const streamEnd = stampEnd < 0 ? -1 : record.indexOf(BLANK, stampEnd + 1);
    const time = readStamp(record.toString('latin1', 0, Math.max(stampEnd, 0)));
    const stream = record.toString('latin1', stampEnd + 1, Math.min(streamEnd, stampEnd + 2 + MAX_STREAM));
    if (streamEnd < 0 || time === undefined || !LOG_STREAM.test(stream)) {
      add(UNREADABLE, now, start, to);
      continue;
    }
    const asIs = record[0] === AT;
    const corrected = asIs ? time : serverTime(clock, time);
    const possible = isPossible(corrected, now);
    if (possible && !asIs) newest = Math.max(newest, time);
    add(stream, possible ? corrected : now, start + streamEnd + 1, to);
  }
  const texts = [...streams].map(([stream, text]): [string, Buffer[]] => [stream, [text.of(body)]]);
  return { streams: new Map(texts), length: from, newest };
}

/** Where the lines of a stream are in a body: objects for each of them would take more memory than they do. */
class StreamText {
  /** Of each line: its time, its first byte, and that behind its last. */
  readonly #lines: number[] = [];
  #size = 0;

  add(time: number, from: number, to: number): void {
    this.#lines.push(time, from, to);
    this.#size += HEAD + (to - from) + 1;
  }

  /** Its text as it is stored. */
  of(body: Buffer): Buffer {
    const text = Buffer.allocUnsafeSlow(this.#size);
    const numbers = this.#lines.values();
    let at = 0;
    for (const time of numbers) {
      const from = numbers.next().value;
      const to = numbers.next().value;
      at += text.write(stamp(time), at, 'latin1');
      at += body.copy(text, at, from, to);
      text[at] = NEWLINE;
      at += 1;
    }
    return text;
  }
}

/** Microseconds; undefined for what is no time. */
export function readStamp(text: string): number | undefined {
  const match = /^@?(\d{1,12})(?:\.(\d{1,6}))?$/.exec(text);
  return match ? Number(match[1]) * 1e6 + Number((match[2] ?? '').padEnd(6, '0')) : undefined;
}

function isPossible(time: number, now: number): boolean {
  return time > now - OLDEST && time < now + AHEAD;
}
