/** Lines that nodes and the platform logged (contract, `logLines`). */
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { LogImported } from '@walt/contract';
import { LOG_IMPORT, LOG_LINES } from '@walt/contract/values/logs';
import type { Connection } from './connection.ts';
import { hasCode } from './errors.ts';
import { parseRecord, readText, responseError, sendAs } from './transport.ts';

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

/** Milliseconds for which a server that does not answer is asked again by who follows, and between two questions. */
const PATIENCE = 15_000;
const PAUSE = 500;
/** A connection that held so many milliseconds was no try. */
const STEADY = 5_000;

/**
 * Lines in portions, as they come; null where those end that were there. Who follows goes on where he was when the server is started
 * anew meanwhile.
 */
export async function* readLogLines(
  connection: Connection,
  query: LogQuery,
  signal?: AbortSignal,
): AsyncGenerator<LogLine[] | null> {
  const place: Place = {};
  let lost: number | undefined;
  for (;;) {
    const began = Date.now();
    try {
      yield* readOnce(connection, query, place, signal);
      return;
    } catch (error) {
      if (signal?.aborted) return;
      const now = Date.now();
      if (lost === undefined || now - began > STEADY) lost = now;
      const goesOn = query.follow === true && (place.after !== undefined || !place.told);
      if (!goesOn || now - lost > PATIENCE || !hasCode(error, 'UNAVAILABLE')) throw error;
      await delay(PAUSE);
    }
  }
}

/** Takes in lines of a file (contract, `logImport`). Throws INVALID, FORBIDDEN, UNAVAILABLE. */
export async function importLogLines(
  connection: Connection,
  file: AsyncIterable<Buffer>,
): Promise<LogImported> {
  // The body goes out once: a token that has run out must show before.
  await connection.client.server.status();
  const body = Readable.from(file, { objectMode: false });
  try {
    const response = await sendAs(connection.route, connection.credentials, {
      ...{ method: 'PUT', path: LOG_IMPORT, headers: { 'content-type': 'application/jsonl' }, body },
    });
    if (response.statusCode !== 200) throw await responseError(response, connection.route);
    return parseRecord(await readText(response), connection.route) as unknown as LogImported;
  } finally {
    // After a refusal, nobody reads the rest.
    body.destroy();
  }
}

/** What a reader has been told. */
interface Place {
  /** All that came before this position. */
  after?: number;
  told?: boolean;
}

async function* readOnce(
  connection: Connection,
  { follow, ...query }: LogQuery,
  place: Place,
  signal?: AbortSignal,
): AsyncGenerator<LogLine[] | null> {
  const words = { ...query, follow: follow ? 'yes' : undefined, after: place.after };
  const given = Object.entries(words).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)]],
  );
  const response = await sendAs(connection.route, connection.credentials, {
    ...{ method: 'GET', path: `${LOG_LINES}?${new URLSearchParams(given)}`, headers: {}, signal },
  });
  if (response.statusCode !== 200) throw await responseError(response, connection.route);
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
      const { lines, complete, after } = parse(text, streams);
      place.told ||= lines.length > 0;
      if (after !== undefined) place.after = after;
      if (lines.length > 0) yield lines;
      if (complete && !ended) yield null;
      ended ||= complete;
    }
  } catch (error) {
    throw error instanceof Error ? connection.route.failure(error) : error;
  } finally {
    response.destroy();
  }
  // Without its mark, it is not all; and who follows is told of no end.
  if (!ended || follow) throw connection.route.lost();
}

function parse(
  text: Buffer,
  streams: Map<string, { issuer: string; stream: string }>,
): { lines: LogLine[]; complete: boolean; after?: number } {
  const lines: LogLine[] = [];
  let complete = false;
  let after: number | undefined;
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
    } else if (kind === 0x50) after = Number(text.toString('latin1', from + 2, to));
    else complete ||= kind === 0x48;
    from = to + 1;
  }
  return { lines, complete, ...(after !== undefined && { after }) };
}
