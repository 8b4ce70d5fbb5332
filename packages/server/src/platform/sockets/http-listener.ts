import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { ListenOptions, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Log } from '../logs/index.ts';
import { type ConnectionLimits, Gate } from './gate.ts';

export interface HttpLimits extends ConnectionLimits {
  /** Seconds for the head of a request. */
  headSeconds: number;
  /** Seconds for a body that is read as a whole; those that are streamed (`streamed`) have no end. */
  bodySeconds: number;
  /** Seconds in which nothing comes of a body, or nothing is taken of an answer. */
  idleSeconds: number;
}

/** Why somebody is turned away: too many connections, too many of his, or a request that does not come. */
export type Reason = keyof ConnectionLimits | 'slow';

export interface Refusal {
  /** HTTP status. */
  status: number;
  type: 'application/json' | 'text/plain; charset=utf-8';
  text: string;
}

interface HttpOptions {
  /** As the journal calls it. */
  name: string;
  log: Log;
  limits: HttpLimits;
  /** Bytes of a request's head. */
  maxHead: number;
  /** Answers a request. What it throws goes to `failed`, which answers where nothing was answered yet. */
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  failed: (error: unknown, response: ServerResponse) => void;
  upgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  refusal: (reason: Reason) => Refusal;
  /** True for a request whose body may take its time. */
  streamed?: (request: IncomingMessage) => boolean;
  /** True: who takes nothing of an answer is cut off. A user's client may be suspended; a node is not. */
  cutsReaders?: boolean;
  /**
   * True: no address tells who asks, so nothing bounds what one of them holds open. His connection gives way to new ones until `keep`
   * vouches for him, whatever he has asked.
   */
  strangers?: boolean;
  /** Of the process's open files (`gate.ts`). */
  share?: number;
}

/** Requests that a connection may send before the first is answered; our clients send one. */
const MAX_PIPELINED = 8;
/** Milliseconds between two looks at what is too slow. */
const LOOK = 1000;
/** Milliseconds of silence after which the kernel asks whether a machine is still there: its tenth question, a second after the last, ends it. */
const PROBE = 10_000;

/**
 * An HTTP server for strangers. What a connection may take is bounded before it is read; what fails in a connection ends that one:
 * each socket, request and response has a handler of errors from its first moment on.
 */
export class HttpListener {
  readonly #options: HttpOptions;
  readonly #server: Server;
  readonly #gate: Gate;
  /** Looks at each request under way. */
  readonly #watches = new Set<() => void>();
  /** Requests under way of each connection that has any. */
  readonly #underWay = new WeakMap<Socket, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HttpOptions) {
    this.#options = options;
    const { limits, log, maxHead, name, refusal, share, upgrade } = options;
    this.#server = createServer({
      maxHeaderSize: maxHead,
      headersTimeout: limits.headSeconds * 1000,
      // Of the whole request: bodies are watched below, each by its own rule.
      requestTimeout: 0,
      connectionsCheckingInterval: LOOK,
      // Who lost his power or his cable hangs up by this, however long an answer takes.
      keepAlive: true,
      keepAliveInitialDelay: PROBE,
    });
    this.#gate = new Gate(this.#server, {
      limits,
      log,
      name,
      share,
      refusal: (which) => raw(refusal(which)),
    });
    this.#server.on('request', (request, response) => {
      this.#guarded(request.socket, () => this.#take(request, response));
    });
    if (!upgrade) return;
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      // Of a request with a body, it is no longer the socket that the gate knows, but one around it.
      socket.on('error', () => socket.destroy());
      this.#atWork(request.socket);
      this.#guarded(request.socket, () => upgrade(request, socket, head));
    });
  }

  /** Resolves to the port, where there is one: 0 asks the system for a free one. */
  async listen(where: ListenOptions): Promise<number> {
    this.#server.listen(where);
    await once(this.#server, 'listening');
    this.#timer = setInterval(() => {
      for (const look of this.#watches) look();
    }, LOOK).unref();
    const bound = this.#server.address();
    return typeof bound === 'object' && bound !== null ? bound.port : 0;
  }

  /** At a Unix socket to which nobody but root may connect, from the first moment on. One of before gives way. */
  async listenForRoot(path: string): Promise<void> {
    await rm(path, { force: true });
    const before = process.umask(0o177);
    // The socket is made before this returns: no other file of this process gets its mode.
    const listening = this.listen({ path });
    process.umask(before);
    await listening;
  }

  /** Ends open connections too; those that were upgraded are their owner's. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#gate.close();
      this.#server.closeAllConnections();
    });
  }

  /** Tells that who sends this request is known: his connection gives way to no other, though its body is still on the way. */
  keep(request: IncomingMessage): void {
    this.#gate.busy(request.socket);
  }

  /** Of an upgraded connection: what it was kept for is over. It gives way again, though its other end does not close it. */
  release(request: IncomingMessage): void {
    this.#gate.idle(request.socket);
  }

  /** Ends all connections of an address at once: who had them is known to have started over. */
  reset(address: string): void {
    this.#gate.reset(address);
  }

  /** A whole request of it is there. */
  #atWork(socket: Socket): void {
    if (!this.#options.strangers) this.#gate.busy(socket);
  }

  /** The last handler: what nobody expected ends the connection. */
  #guarded(socket: Socket, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#gate.fail(socket, error);
    }
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const { answer, failed } = this.#options;
    const { socket } = request;
    // Who reads or writes them is told as well; and once the client is gone, nobody is interested.
    request.on('error', () => {});
    response.on('error', () => {});
    const before = this.#underWay.get(socket) ?? 0;
    if (before >= MAX_PIPELINED) return void socket.destroy();
    this.#underWay.set(socket, before + 1);
    const watches = [...this.#watchBody(request, response), ...this.#watchAnswer(response, socket)];
    for (const look of watches) this.#watches.add(look);
    response.once('close', () => {
      for (const look of watches) this.#watches.delete(look);
      const left = (this.#underWay.get(socket) ?? 1) - 1;
      this.#underWay.set(socket, left);
      if (left === 0) this.#gate.idle(socket);
    });
    answer(request, response).catch((error) => {
      if (response.headersSent || response.destroyed) response.destroy();
      else this.#guarded(socket, () => failed(error, response));
    });
  }

  /** Ends a request whose body does not come; nothing where none is to come: thousands of nodes wait for an answer at a time. */
  #watchBody(request: IncomingMessage, response: ServerResponse): [] | [() => void] {
    const { limits, refusal, streamed } = this.#options;
    const { socket } = request;
    if (!hasBody(request)) {
      this.#atWork(socket);
      return [];
    }
    const end = streamed?.(request)
      ? Number.POSITIVE_INFINITY
      : performance.now() + limits.bodySeconds * 1000;
    const stands = still(limits.idleSeconds);
    request.once('end', () => this.#atWork(socket));
    const look = () => {
      if (request.complete) return;
      // A body that we do not read fast enough is not the client's fault.
      const ours = request.isPaused() || request.readableLength >= request.readableHighWaterMark;
      if (!stands(socket.bytesRead, ours) && performance.now() < end) return;
      if (response.headersSent) socket.destroy();
      else send(response, refusal('slow'), () => socket.destroy());
    };
    return [look];
  }

  /** Ends a connection to which an answer cannot be got out. */
  #watchAnswer(response: ServerResponse, socket: Socket): [] | [() => void] {
    if (!this.#options.cutsReaders) return [];
    const stands = still(this.#options.limits.idleSeconds);
    const look = () => {
      if (!response.headersSent) return;
      const waiting = socket.writableLength;
      if (stands(socket.bytesWritten - waiting, waiting === 0)) socket.resetAndDestroy();
    };
    return [look];
  }
}

/** RFC 9112, 6.3. */
function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Tells whether a number has been the same for so many seconds, looking each time that it is asked; `excused`: that time does not count. */
function still(seconds: number): (figure: number, excused: boolean) => boolean {
  let since = performance.now();
  let last = Number.NaN;
  return (figure, excused) => {
    const now = performance.now();
    if (excused || figure !== last) since = now;
    last = figure;
    return now - since > seconds * 1000;
  };
}

function send(response: ServerResponse, { status, type, text }: Refusal, sent: () => void): void {
  response.writeHead(status, {
    connection: 'close',
    'content-type': type,
    'content-length': Buffer.byteLength(text),
  });
  response.end(text, sent);
}

/** For a connection whose request was never read. */
function raw({ status, type, text }: Refusal): string {
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'connection: close',
    `content-type: ${type}`,
    `content-length: ${Buffer.byteLength(text)}`,
  ];
  return `${head.join('\r\n')}\r\n\r\n${text}`;
}
