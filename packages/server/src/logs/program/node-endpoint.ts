import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  HttpListener,
  isUserError,
  KeyedLock,
  type Limits,
  type Log,
  machineRefusal,
  rarely,
  sendText,
} from '../../platform/index.ts';
import { type Arrival, heard, settled } from './clock.ts';
import { readRecords, readStamp } from './records.ts';
import type { LogStore } from './store.ts';

/** Bytes of a request's head: senders have some hundred. */
const MAX_HEAD = 8 * 1024;
/** Bytes that a node sends at a time. */
const MAX_BODY = 256 * 1024;
/** Bytes that wait to be stored, or to come, of all nodes, and of each: some few leave all others their room. */
const MAX_WAITING = 64 * 1024 * 1024;
const MAX_WAITING_EACH = 4 * MAX_BODY;
/** Microseconds of a node's clock, up to the year 2112: differences of times stay numbers that a database gives back. */
const MAX_CLOCK = 2 ** 52;
/** Bytes that a node may have sent of one spool. */
const MAX_OFFSET = 2 ** 50;

/** `BOOT.NUMBER`: a boot has several. */
const SPOOL = /^([A-Za-z0-9_-]{1,80})\.\d{1,15}$/;

interface Deps {
  store: LogStore;
  log: Log;
  limits: Limits['machines'];
  /** Whether lines from that address are taken. */
  isIssuer: (ip: string) => boolean;
}

/** Where nodes bring their lines: `POST /node/log?spool=BOOT.NUMBER&from=OFFSET`, answered by how far that spool is stored. */
export class NodeEndpoint {
  readonly #deps: Deps;
  readonly #listener: HttpListener;
  /** By issuer: what a node sends is stored in its order. */
  readonly #turns = new KeyedLock();
  #waiting = 0;
  /** By issuer. */
  readonly #own = new Map<string, number>();

  constructor(deps: Deps) {
    this.#deps = deps;
    const warn = rarely(deps.log.warn);
    this.#listener = new HttpListener({
      ...{
        name: 'node logs',
        log: deps.log,
        limits: deps.limits,
        maxHead: MAX_HEAD,
        cutsReaders: true,
        refusal: machineRefusal,
      },
      answer: (request, response) => this.#answer(request, response),
      failed: (error, response) => {
        // The node has its lines still, and brings them again. That the database is away was told.
        if (!deps.store.away)
          warn('lines were not stored', { reason: String(error) }, response.req.socket.remoteAddress);
        sendText(response, isUserError(error) ? 503 : 500, 'not stored');
      },
    });
  }

  /** Resolves to the port: 0 asks the system for a free one. */
  listen(host: string, port: number): Promise<number> {
    return this.#listener.listen({ host, port });
  }

  close(): Promise<void> {
    return this.#listener.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const now = Date.now() * 1000;
    const url = URL.parse(request.url ?? '/', 'http://server');
    const ip = request.socket.remoteAddress?.replace(/^::ffff:/, '');
    if (url?.pathname !== '/node/log' || request.method !== 'POST' || ip === undefined) {
      return sendText(response, 404, 'nothing is here');
    }
    if (!this.#deps.isIssuer(ip)) return sendText(response, 403, 'this is no node');
    const spool = url.searchParams.get('spool') ?? '';
    const from = offsetOf(url.searchParams.get('from'));
    const clock = readStamp(String(request.headers['x-walt-clock'] ?? ''));
    const length = Number(request.headers['content-length'] ?? Number.NaN);
    if (!SPOOL.test(spool) || from === undefined || clock === undefined || !Number.isSafeInteger(length)) {
      return sendText(response, 400, 'spool, from, x-walt-clock and content-length are needed');
    }
    if (length > MAX_BODY) return sendText(response, 413, `at most ${MAX_BODY} bytes at a time`);
    const isTooMuch =
      this.#waiting + length > MAX_WAITING || (this.#own.get(ip) ?? 0) + length > MAX_WAITING_EACH;
    if (isTooMuch) return sendText(response, 503, 'too much waits to be stored');
    this.#wait(ip, length);
    try {
      const body = await bodyOf(request, length);
      if (body === undefined) return sendText(response, 400, 'the body has another length');
      const arrival = { now, clock: Math.min(clock, MAX_CLOCK) };
      const reached = await this.#turns.hold(ip, () => this.#store(ip, spool, from, body, arrival));
      sendText(response, 200, `${reached}\n`);
    } finally {
      this.#wait(ip, -length);
    }
  }

  #wait(ip: string, bytes: number): void {
    this.#waiting += bytes;
    const own = (this.#own.get(ip) ?? 0) + bytes;
    if (own === 0) this.#own.delete(ip);
    else this.#own.set(ip, own);
  }

  /** Stores what is new. Answers how far the spool is stored then. */
  async #store(issuer: string, spool: string, from: number, body: Buffer, arrival: Arrival): Promise<number> {
    const { store } = this.#deps;
    const [known, before] = await Promise.all([store.reached(issuer, spool), store.clock(issuer)]);
    if (from + body.length <= known) return known;
    const start = Math.max(from, known);
    const clock = heard(before, SPOOL.exec(spool)?.[1] ?? '', arrival);
    const { streams, length, newest } = readRecords(body.subarray(start - from), clock, arrival.now);
    if (length === 0) return start;
    const reached = start + length;
    await store.append({
      issuer,
      streams,
      spool: { id: spool, reached, clock: settled(clock, newest) },
    });
    return reached;
  }
}

function offsetOf(text: string | null): number | undefined {
  const offset = text !== null && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return offset <= MAX_OFFSET ? offset : undefined;
}

/** Undefined: it has not that length. */
async function bodyOf(request: IncomingMessage, length: number): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const body = Buffer.concat(parts);
  return body.length === length ? body : undefined;
}
