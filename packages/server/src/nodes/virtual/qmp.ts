import { EventEmitter, on, once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';

/** QEMU refused a command, does not speak QMP, or does not answer. */
export class QmpError extends Error {
  override readonly name = 'QmpError';
}

export interface QmpEvent {
  /** As `RESET`, `SHUTDOWN`. */
  event: string;
  data: Record<string, unknown>;
}

/** Messages of the server (QEMU's qmp-spec, section 2). */
const message = z.union([
  z.object({ QMP: z.object({}) }),
  z.object({ event: z.string(), data: z.record(z.string(), z.unknown()).default({}) }),
  z.object({ return: z.unknown(), id: z.number() }),
  z.object({ error: z.object({ class: z.string(), desc: z.string() }), id: z.number().optional() }),
]);

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/**
 * A connection to QEMU's control socket. QEMU serves one client at a time and lets the others wait: connect, ask, close.
 * Every call ends within `limit` milliseconds, if need be with a QmpError.
 */
export class Qmp {
  readonly #socket: Socket;
  readonly #limit: number;
  readonly #waiting = new Map<number, Waiting>();
  /** `greeting`, `event` (QmpEvent), `close`. */
  readonly #signals = new EventEmitter();
  #lastId = 0;
  #failure: Error | undefined;

  private constructor(path: string, limit: number) {
    this.#limit = limit;
    this.#signals.setMaxListeners(0);
    this.#socket = createConnection(path);
    this.#socket.on('error', (error) => this.#fail(new QmpError(`${path}: ${error.message}`)));
    this.#socket.on('close', () => this.#fail(new QmpError(`${path}: QEMU closed the connection`)));
    const lines = createInterface({ input: this.#socket, crlfDelay: Number.POSITIVE_INFINITY });
    lines.on('line', (line) => this.#take(line));
    lines.on('error', () => {}); // readline repeats the socket's error
  }

  /** Throws QmpError when nothing listens there or no greeting comes in time. */
  static async connect(path: string, limit = 2_000): Promise<Qmp> {
    const qmp = new Qmp(path, limit);
    try {
      await qmp.#inTime('greeting', (signal) => qmp.#greeting(signal));
      await qmp.execute('qmp_capabilities');
      return qmp;
    } catch (error) {
      qmp.close();
      throw error;
    }
  }

  /** Answers what QEMU returns. Throws QmpError with QEMU's words when it refuses. */
  async execute(command: string, args: Record<string, unknown> = {}): Promise<unknown> {
    return this.#inTime(command, () => {
      if (this.#failure) throw this.#failure;
      const id = ++this.#lastId;
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      this.#waiting.set(id, { resolve, reject });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
      return promise.finally(() => this.#waiting.delete(id));
    });
  }

  /** Events from this call on; ends when the connection does, or with the signal's error. */
  events(signal?: AbortSignal): AsyncIterable<QmpEvent> {
    const source = on(this.#signals, 'event', { close: ['close'], ...(signal ? { signal } : {}) });
    return (async function* () {
      for await (const [event] of source) yield event as QmpEvent;
    })();
  }

  close(): void {
    this.#fail(new QmpError('the connection was closed'));
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #greeting(signal: AbortSignal): Promise<void> {
    await Promise.race([
      once(this.#signals, 'greeting', { signal }),
      once(this.#signals, 'close', { signal }).then(() => Promise.reject(this.#failure)),
    ]);
  }

  async #inTime<T>(what: string, action: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const over = new AbortController();
    const timer = setTimeout(
      () => reject(new QmpError(`QEMU did not answer within ${this.#limit} ms (${what})`)),
      this.#limit,
    );
    try {
      return await Promise.race([action(over.signal), late]);
    } finally {
      clearTimeout(timer);
      over.abort();
    }
  }

  #take(line: string): void {
    let parsed: z.infer<typeof message>;
    try {
      parsed = message.parse(JSON.parse(line));
    } catch {
      this.#fail(new QmpError(`not a QMP message: ${line.slice(0, 200)}`));
      this.#socket.destroy();
      return;
    }
    if ('QMP' in parsed) this.#signals.emit('greeting');
    else if ('event' in parsed) this.#signals.emit('event', parsed satisfies QmpEvent);
    else if ('error' in parsed) {
      // A command that QEMU could not even parse comes back without an id: it can only be the last one.
      this.#waiting.get(parsed.id ?? this.#lastId)?.reject(new QmpError(parsed.error.desc));
    } else this.#waiting.get(parsed.id)?.resolve(parsed.return);
  }

  #fail(error: Error): void {
    if (this.#failure) return;
    this.#failure = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#signals.emit('close');
  }
}
