/** What the server asks of the program, on a Unix socket that is root's: HTTP, JSON in, JSON or text of lines (queries.ts) out. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import * as z from 'zod';
import {
  HttpListener,
  isUserError,
  KeyedLock,
  type Limits,
  type Log,
  UserError,
} from '../../platform/index.ts';
import { storedLine } from './chunk.ts';
import type { Outage } from './connection.ts';
import { missingLines } from './missing-lines.ts';
import type { Queries } from './queries/index.ts';
import type { LogStore } from './store.ts';
import type { SyslogEndpoint } from './syslog/index.ts';

/** Bytes of a question: ten thousand nodes have addresses of 15 characters. */
const MAX_BODY = 1024 * 1024;

const NEWLINE = 0x0a;

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const time = z.number().min(0).max(Number.MAX_SAFE_INTEGER);

const questions = {
  /** Lines of the platform itself. */
  '/append': z.object({
    issuer: z.string(),
    lines: z.array(z.object({ stream: z.string(), time, text: z.string() })),
  }),
  /** Lines of a file, `text` in base64: those that are there already are not stored again. Answers how many were stored. */
  '/import': z.object({
    issuer: z.string(),
    lines: z.array(z.object({ stream: z.string(), time, text: z.string() })),
  }),
  /**
   * Bytes `from` to `reached` of what an issuer has told of itself: lines in base64, each with its newline, the first one of that
   * time, each other one a microsecond later. They are stored unless that spool is stored farther than `from` already. Answers how far it is.
   */
  '/spooled': z.object({
    ...{ issuer: z.string(), stream: z.string(), spool: z.string() },
    ...{ from: count, reached: count, time, text: z.string() },
  }),
  '/query': z.object({
    /** What they are called now, by their address. */
    issuers: z.record(z.string(), z.string()),
    streams: z.string().optional(),
    lines: z.string().optional(),
    from: time,
    to: time,
    last: z.number().optional(),
    follow: z.boolean(),
    after: z.number().optional(),
  }),
  /** Copies the database into the new file `to`. Answers whether it is one that can be. */
  '/copy': z.object({ to: z.string() }),
  /** Answers `ProgramFigures`. */
  '/figures': z.object({}),
  /** Lines of all others go. */
  '/keep': z.object({ issuers: z.array(z.string()) }),
};
export type Questions = { [Path in keyof typeof questions]: z.infer<(typeof questions)[Path]> };

/** Counted since the program's start. */
export interface ProgramFigures {
  /** Lines that were stored, bytes that wait for it, readers. */
  lines: number;
  waiting: number;
  readers: number;
  /** Messages of syslog. */
  dropped: number;
  /** Resident bytes. */
  memory: number;
  /** Since when the database is away, in Unix seconds, and why. */
  outage: Outage | null;
}

interface Deps {
  store: LogStore;
  queries: Queries;
  syslog: Pick<SyslogEndpoint, 'dropped' | 'forgetOthers'>;
  limits: Limits['clients'];
  log: Log;
}

export class Control {
  readonly #deps: Deps;
  readonly #listener: HttpListener;
  /** By issuer. */
  readonly #turns = new KeyedLock();

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#listener = new HttpListener({
      ...{ name: 'logs', log: deps.log, limits: deps.limits, maxHead: 16 * 1024 },
      answer: (request, response) => this.#answer(request, response),
      failed: (error, response) => {
        if (!isUserError(error)) deps.log.error('a question failed', { error: String(error) });
        const { code, message, hint } = isUserError(error)
          ? error
          : { code: 'EXTERNAL', message: String(error), hint: '' };
        send(response, isUserError(error) ? 400 : 500, { code, message, hint });
      },
      refusal: () => ({ status: 503, type: 'application/json', text: '{}' }),
    });
  }

  listen(path: string): Promise<void> {
    return this.#listener.listenForRoot(path);
  }

  close(): Promise<void> {
    return this.#listener.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { store, queries, syslog } = this.#deps;
    const body = await bodyOf(request);
    switch (request.url) {
      case '/append': {
        const { issuer, lines } = questions['/append'].parse(body);
        const streams = byStream(lines, (text) => Buffer.from(text.replaceAll('\n', ' ')));
        await store.append({ issuer, streams });
        return send(response, 200, {});
      }
      case '/import':
        return send(response, 200, { stored: await this.#import(questions['/import'].parse(body)) });
      case '/spooled':
        return send(response, 200, { reached: await this.#spooled(questions['/spooled'].parse(body)) });
      case '/query': {
        const query = questions['/query'].parse(body);
        const gone = new AbortController();
        response.once('close', () => gone.abort());
        const write = async (text: Uint8Array) => {
          if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/plain' });
          if (!response.write(text)) await once(response, 'drain', { signal: gone.signal });
        };
        try {
          await queries.run(query, write, gone.signal);
        } catch (error) {
          if (!gone.signal.aborted) throw error;
        }
        response.end();
        return;
      }
      case '/copy':
        return send(response, 200, { copied: await store.copy(questions['/copy'].parse(body).to) });
      case '/figures':
        return send(response, 200, this.#figures());
      case '/keep': {
        const kept = new Set(questions['/keep'].parse(body).issuers);
        const others = new Set(
          [...store.streams()].map(({ issuer }) => issuer).filter((issuer) => !kept.has(issuer)),
        );
        for (const issuer of others) await store.forget(issuer);
        syslog.forgetOthers(kept);
        return send(response, 200, {});
      }
      default:
        throw new UserError('NOT_FOUND', `Nothing is at ${request.url}.`, '');
    }
  }

  #figures(): ProgramFigures {
    const { store, queries, syslog } = this.#deps;
    const { readers } = queries;
    const outage = store.outage ?? null;
    return { ...store.figures, readers, dropped: syslog.dropped, memory: process.memoryUsage.rss(), outage };
  }

  async #spooled({
    issuer,
    stream,
    spool,
    from,
    reached,
    time,
    text,
  }: Questions['/spooled']): Promise<number> {
    const { store } = this.#deps;
    return await this.#turns.hold(issuer, async () => {
      const known = await store.reached(issuer, spool);
      if (known > from || known === reached) return known;
      const bytes = Buffer.from(text, 'base64');
      const lines = [...splitLines(bytes)].map((line, index) => storedLine(time + index, line));
      await store.append({
        issuer,
        streams: new Map(lines.length > 0 ? [[stream, lines]] : []),
        spool: { id: spool, reached },
      });
      return reached;
    });
  }

  async #import({ issuer, lines }: Questions['/import']): Promise<number> {
    const { store } = this.#deps;
    const streams = byStream(lines, (text) => Buffer.from(text, 'base64'));
    return await this.#turns.hold(issuer, async () => {
      const missing = await missingLines(store, issuer, streams);
      const count = [...missing.values()].flat().length;
      if (count > 0) await store.append({ issuer, streams: missing });
      return count;
    });
  }
}

/** Without their newlines; each has one. */
function* splitLines(bytes: Buffer): Generator<Buffer> {
  let from = 0;
  for (let to = bytes.indexOf(NEWLINE); to !== -1; to = bytes.indexOf(NEWLINE, from)) {
    yield bytes.subarray(from, to);
    from = to + 1;
  }
}

function byStream<Line extends { stream: string; time: number; text: string }>(
  lines: readonly Line[],
  bytesOf: (text: string) => Buffer,
): Map<string, Buffer[]> {
  return new Map(
    [...Map.groupBy(lines, ({ stream }) => stream)].map(([stream, some]) => [
      stream,
      some.map(({ time, text }) => storedLine(time, bytesOf(text))),
    ]),
  );
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request) {
    size += (part as Buffer).length;
    if (size > MAX_BODY) throw new UserError('INVALID', 'The question is too large.', '');
    parts.push(part as Buffer);
  }
  return JSON.parse(Buffer.concat(parts).toString() || '{}');
}

function send(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
