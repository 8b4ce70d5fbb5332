/** WebSockets to the server: bytes as binary messages, control as JSON text (contract, `streams`). */
import type { Readable, Writable } from 'node:stream';
import type { ClientFrame, ServerFrame, StreamPath, StreamQuery, WriterFrame } from '@walt/contract';
import { CONTRACT_HEADER, CONTRACT_TEXT } from '@walt/contract/values/version';
import WebSocket from 'ws';
import type { Connection } from './connection.ts';
import { whenFree } from './drain.ts';
import { AbortError } from './errors.ts';
import { parseRecord, responseError } from './transport.ts';
import { otherMajor } from './versions.ts';

export interface StreamHandlers {
  onData: (bytes: Buffer) => void;
  /** The server may now be sent to. */
  onOpen: () => void;
  /** The server sends no more, and goes on receiving. */
  onEnd?: () => void;
  /** Of a console: who types there. */
  onWriter?: (frame: WriterFrame) => void;
}

/** How a stream ended: the server's last word, or undefined when the connection just broke or was closed. */
export type StreamEnd = Exclude<ServerFrame, { type: 'end' | 'writer' }> | undefined;

/** RFC 6455, 7.1.5. */
const NO_CLOSING_FRAME = 1006;
/** Bytes that may wait in this process before the source is held back. */
const HIGH_WATER = 256 * 1024;

/**
 * One stream, open from its construction on. A token that the server refuses is renewed once; what was sent meanwhile is sent
 * again, for the refusal comes as a frame, after the WebSocket has opened.
 */
export class ByteStream<Path extends StreamPath = StreamPath> {
  /** Rejects with AbortError when the server is not there. */
  readonly ended: Promise<StreamEnd>;
  readonly #connection: Connection;
  readonly #url: string;
  readonly #handlers: StreamHandlers;
  #socket: WebSocket | undefined;
  #closed = false;
  #lost = false;
  /** What was sent before the server first answered; undefined afterwards. */
  #unanswered: (Uint8Array | string)[] | undefined = [];
  #written: Promise<void> = Promise.resolve();
  /** Local sinks that take nothing now. */
  readonly #full = new Set<Writable>();

  constructor(connection: Connection, path: Path, query: StreamQuery<Path>, handlers: StreamHandlers) {
    const parameters = Object.entries(query).map(([key, value]): [string, string] => [key, String(value)]);
    this.#connection = connection;
    const { options } = connection.route;
    const server = 'agent' in options ? 'ws://walt' : `ws+unix:${options.socketPath}:`;
    this.#url = `${server}${path}?${new URLSearchParams(parameters)}`;
    this.#handlers = handlers;
    this.ended = this.#run();
  }

  /** After its end: true when the connection broke, instead of being closed by either side. */
  get lost(): boolean {
    return this.#lost && !this.#closed;
  }

  /** False when the caller should wait for `drained` before it sends more. */
  send(bytes: Uint8Array): boolean {
    this.#write(bytes);
    return (this.#socket?.bufferedAmount ?? 0) < HIGH_WATER;
  }

  /** Resolves when all that was sent has left this process, or cannot leave it any more. */
  drained(): Promise<void> {
    return this.#written;
  }

  control(frame: ClientFrame): void {
    this.#write(JSON.stringify(frame));
  }

  /** Sends what came from a local source, which is paused until it has left this process. */
  sendFrom(source: Readable, bytes: Uint8Array): void {
    if (this.send(bytes)) return;
    source.pause();
    // Whoever read it may have left: a source that flows would keep the program alive.
    this.drained().then(() => source.listenerCount('data') > 0 && source.resume());
  }

  /** Writes what came to a local sink. While a sink is full, no more comes, and in the end the sender waits. */
  passOn(bytes: Uint8Array, sink: Writable): void {
    // What was under way when the flow stopped comes still.
    if (sink.write(bytes) || sink.destroyed || this.#full.has(sink)) return;
    this.#full.add(sink);
    this.#socket?.pause();
    whenFree(sink, () => {
      this.#full.delete(sink);
      if (this.#full.size === 0) this.#socket?.resume();
    });
  }

  close(): void {
    this.#closed = true;
    this.#socket?.close();
  }

  #write(message: Uint8Array | string): void {
    this.#unanswered?.push(message);
    const socket = this.#socket;
    if (socket?.readyState !== WebSocket.OPEN) return;
    this.#written = new Promise((resolve) => socket.send(message, () => resolve()));
  }

  async #run(): Promise<StreamEnd> {
    const { credentials } = this.#connection;
    const end = await this.#converse(await credentials.token());
    if (end?.type !== 'error' || end.code !== 'UNAUTHENTICATED') return end;
    return await this.#converse(await credentials.renew());
  }

  /** Answers what may be the server's last word. Throws what the message's handler throws, and AbortError for what is none of a server's. */
  #take(message: Buffer, isBinary: boolean): StreamEnd {
    if (isBinary) {
      this.#unanswered = undefined;
      this.#handlers.onData(message);
      return undefined;
    }
    const frame = parseRecord(message.toString('utf8'), this.#connection.route) as ServerFrame;
    if (frame.type === 'end') this.#handlers.onEnd?.();
    else if (frame.type === 'writer') {
      this.#unanswered = undefined;
      this.#handlers.onWriter?.(frame);
    } else return frame;
    return undefined;
  }

  /** One WebSocket from its opening to its end. */
  #converse(token: string): Promise<StreamEnd> {
    if (this.#closed) return Promise.resolve(undefined);
    const { route } = this.#connection;
    const headers = { authorization: `Bearer ${token}`, [CONTRACT_HEADER]: CONTRACT_TEXT };
    const agent = 'agent' in route.options ? route.options.agent : undefined;
    const socket = new WebSocket(this.#url, { headers, perMessageDeflate: false, ...(agent && { agent }) });
    this.#socket = socket;
    return new Promise((resolve, reject) => {
      let last: StreamEnd;
      socket.on('open', () => {
        for (const message of this.#unanswered ?? []) socket.send(message);
        this.#handlers.onOpen();
      });
      socket.on('message', (data: Buffer, isBinary: boolean) => {
        // What is thrown here would reach nobody, and end the program with its text on the terminal as it is.
        try {
          last = this.#take(data, isBinary) ?? last;
        } catch (error) {
          reject(error);
          socket.terminate();
        }
      });
      socket.on('upgrade', ({ headers: told }) => {
        const other = otherMajor(told[CONTRACT_HEADER], route.name);
        if (!other) return;
        reject(other);
        socket.terminate();
      });
      socket.on('unexpected-response', (_request, response) => {
        responseError(response, route)
          .then(reject, reject)
          .finally(() => socket.terminate());
      });
      socket.on('error', (error) => reject(route.failure(error)));
      socket.on('close', (code) => {
        this.#lost = code === NO_CLOSING_FRAME;
        resolve(last);
      });
    });
  }
}

/** The failure that a server's `error` frame tells. */
export function frameError(frame: Extract<StreamEnd, { type: 'error' }>): AbortError {
  return new AbortError(frame.code, frame.message, frame.hint);
}
