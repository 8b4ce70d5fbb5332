/** Lines that nodes and the platform logged (contract, `logLines`). */
import { LOG_LINES } from '@walt/contract/values/logs';
import type { Connection } from './connection.ts';
import { connectionError, responseError, sendAs } from './transport.ts';

export interface LogQuery {
  /** A set of nodes; `server` in it is the platform itself. */
  set: string;
  /** Regular expressions in RE2's syntax. */
  streams?: string | undefined;
  lines?: string | undefined;
  /** Microseconds of Unix time, both included. */
  from?: number | undefined;
  to?: number | undefined;
  /** Only so many of the last. */
  last?: number | undefined;
  /** Whether lines that come are told, too, until `signal` is aborted. */
  follow?: boolean | undefined;
}

export interface LogLine {
  /** Microseconds of Unix time. */
  time: number;
  issuer: string;
  stream: string;
  /** Any bytes but a newline. */
  line: Buffer;
}

const NEWLINE = 0x0a;
/** Digits of a time. */
const TIME = 16;

/** Lines in portions, as they come; null where those end that were there. */
export async function* readLogLines(
  connection: Connection,
  { follow, ...query }: LogQuery,
  signal?: AbortSignal,
): AsyncGenerator<LogLine[] | null> {
  const given = Object.entries({ ...query, follow: follow ? 'yes' : undefined }).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  );
  const response = await sendAs(connection.socket, connection.credentials, {
    ...{ method: 'GET', path: `${LOG_LINES}?${new URLSearchParams(given)}`, headers: {}, signal },
  });
  if (response.statusCode !== 200) throw await responseError(response, connection.socket);
  const streams = new Map<string, { issuer: string; stream: string }>();
  let rest: Buffer[] = [];
  let ended = false;
  try {
    for await (const part of response as AsyncIterable<Buffer>) {
      const end = part.lastIndexOf(NEWLINE);
      if (end === -1) {
        rest.push(part);
        continue;
      }
      const text = Buffer.concat([...rest, part.subarray(0, end + 1)]);
      rest = [part.subarray(end + 1)];
      const { lines, complete } = parse(text, streams);
      if (lines.length > 0) yield lines;
      ended ||= complete;
      if (complete) yield null;
    }
  } catch (error) {
    if (signal?.aborted) return;
    throw error instanceof Error ? connectionError(error, connection.socket) : error;
  } finally {
    response.destroy();
  }
  // Without its mark, it is not all.
  if (!ended && !signal?.aborted) throw connectionError(new Error('the lines broke off'), connection.socket);
}

function parse(
  text: Buffer,
  streams: Map<string, { issuer: string; stream: string }>,
): { lines: LogLine[]; complete: boolean } {
  const lines: LogLine[] = [];
  let complete = false;
  for (let from = 0; from < text.length; ) {
    const to = text.indexOf(NEWLINE, from);
    const kind = text[from];
    if (kind === 0x4c) {
      const id = text.indexOf(0x20, from + 2);
      const stream = streams.get(text.toString('latin1', from + 2, id));
      const time = Number(text.toString('latin1', id + 1, id + 1 + TIME));
      if (stream) lines.push({ time, ...stream, line: text.subarray(id + 2 + TIME, to) });
    } else if (kind === 0x53) {
      const [, id = '', issuer = '', stream = ''] = text.toString('utf8', from, to).split(' ');
      streams.set(id, { issuer, stream });
    } else complete ||= kind === 0x48;
    from = to + 1;
  }
  return { lines, complete };
}
