/** What a node's spool holds (packages/node, walt-log): records `STAMP STREAM TEXT\n`, and empty lines. Hostile until it was read here. */
import { LOG_STREAM } from '@walt/contract';
import { stamp } from './chunk.ts';
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
 */
export function readRecords(
  body: Buffer,
  clock: Clock,
  now: number,
): { streams: Map<string, Buffer[]>; length: number } {
  const streams = new Map<string, Buffer[]>();
  const add = (stream: string, time: number, text: Buffer) => {
    const parts = streams.get(stream);
    const some = parts ?? [];
    if (!parts) streams.set(stream, some);
    for (let from = 0; from === 0 || from < text.length; from += MAX_LINE) {
      some.push(stamp(time), text.subarray(from, from + MAX_LINE), END);
    }
  };
  let from = 0;
  for (let to = body.indexOf(NEWLINE); to !== -1; to = body.indexOf(NEWLINE, from)) {
    const record = body.subarray(from, to);
    from = to + 1;
    // Writers end whatever another one may have left unended.
    if (record.length === 0) continue;
    const stampEnd = record.subarray(0, MAX_STAMP + 1).indexOf(BLANK);
    const streamEnd = stampEnd < 0 ? -1 : record.indexOf(BLANK, stampEnd + 1);
    const time = readStamp(record.toString('latin1', 0, Math.max(stampEnd, 0)));
    const stream = record.toString('latin1', stampEnd + 1, Math.min(streamEnd, stampEnd + 2 + MAX_STREAM));
    if (streamEnd < 0 || time === undefined || !LOG_STREAM.test(stream)) {
      add(UNREADABLE, now, record);
      continue;
    }
    const corrected = record[0] === AT ? time : serverTime(clock, time);
    add(stream, isPossible(corrected, now) ? corrected : now, record.subarray(streamEnd + 1));
  }
  return { streams, length: from };
}

const END = Buffer.from('\n');

/** Microseconds; undefined for what is no time. */
export function readStamp(text: string): number | undefined {
  const match = /^@?(\d{1,12})(?:\.(\d{1,6}))?$/.exec(text);
  return match ? Number(match[1]) * 1e6 + Number((match[2] ?? '').padEnd(6, '0')) : undefined;
}

function isPossible(time: number, now: number): boolean {
  return time > now - OLDEST && time < now + AHEAD;
}
