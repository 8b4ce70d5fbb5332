/** What stands in front of everything that accepts connections. */
import type { Server, Socket } from 'node:net';
import type { Log } from '../logs/index.ts';
import { rarely } from '../logs/index.ts';
import { openFilesLimit } from '../open-files.ts';

export interface ConnectionLimits {
  /** Connections at a time. */
  all: number;
  /** Of one address. A Unix socket tells no address: there only `all` counts. */
  each: number;
}

interface GateOptions {
  limits: ConnectionLimits;
  log: Log;
  /** Who listens, as the journal calls it. */
  name: string;
  /** What is sent to who is not let in; default: nothing. */
  refusal?: (which: keyof ConnectionLimits) => string;
  /** Share of the process's open files that this listener may take, whatever its limits say; default: a quarter. */
  share?: number | undefined;
}

/** Milliseconds for who was refused to read why. */
const FAREWELL = 2000;
const SHARE = 1 / 4;

/**
 * Bounds a server's connections and keeps every failure of one inside it. A new one in front of a full house takes the place of the
 * oldest that still waits for a question, so that who only holds connections open locks nobody out.
 */
export class Gate {
  readonly #options: GateOptions;
  readonly #all: number;
  readonly #warn: ReturnType<typeof rarely>;
  readonly #complain: ReturnType<typeof rarely>;
  /** By address; connections that are counted. */
  readonly #each = new Map<string, Set<Socket>>();
  /** Oldest first: those that have asked for nothing yet, or that nobody vouches for. */
  readonly #waiting = new Set<Socket>();
  readonly #refused = new Set<Socket>();
  #count = 0;

  /** To be made after what handles the server's event `connection` is in place, and before it listens. */
  constructor(server: Server, options: GateOptions) {
    this.#options = options;
    const { limits, share = SHARE } = options;
    this.#all = Math.max(1, Math.min(limits.all, Math.floor(openFilesLimit() * share)));
    this.#warn = rarely(options.log.warn);
    this.#complain = rarely(options.log.error);
    // As when no file can be opened any more: those who wait come in later.
    server.on('error', (error) => this.#warn(`${options.name} cannot accept`, { error: error.message }));
    const serve = server.listeners('connection');
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => {
      // The first and the last to hear of its failures: `close` follows, and is what everybody else acts on.
      socket.on('error', () => socket.destroy());
      if (!this.#enter(socket)) return;
      try {
        for (const listener of serve) listener.call(server, socket);
      } catch (error) {
        this.fail(socket, error);
      }
    });
  }

  /** Counts a connection as one that waits for nobody: it is at work. */
  busy(socket: Socket): void {
    this.#waiting.delete(socket);
  }

  /** Counts it as one that waits for the next question. */
  idle(socket: Socket): void {
    if (!socket.destroyed) this.#waiting.add(socket);
  }

  /** Ends a connection whose handler failed, and tells the journal. */
  fail(socket: Socket, error: unknown): void {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#complain(`${this.#options.name}: a connection failed`, { error: stack });
    socket.destroy();
  }

  /** Ends all connections of an address, and forgets what was on its way: the kernel would keep that for minutes where nobody answers. */
  reset(address: string): void {
    for (const socket of this.#each.get(address) ?? []) socket.resetAndDestroy();
  }

  /** Ends those who were refused; the server ends its own. */
  close(): void {
    for (const socket of this.#refused) socket.destroy();
  }

  #enter(socket: Socket): boolean {
    const address = socket.remoteAddress ?? '';
    const ofAddress = this.#each.get(address) ?? new Set();
    if (address !== '' && ofAddress.size >= this.#options.limits.each) return this.#refuse(socket, 'each');
    if (this.#count >= this.#all) {
      const [oldest] = this.#waiting;
      if (oldest === undefined) return this.#refuse(socket, 'all');
      this.#warn(`${this.#options.name}: idle connections make room`, { limit: this.#all });
      this.#waiting.delete(oldest);
      oldest.destroy();
    }
    this.#count += 1;
    this.#each.set(address, ofAddress.add(socket));
    this.#waiting.add(socket);
    socket.once('close', () => this.#leave(socket, address));
    return true;
  }

  #leave(socket: Socket, address: string): void {
    this.#count -= 1;
    this.#waiting.delete(socket);
    const ofAddress = this.#each.get(address);
    ofAddress?.delete(socket);
    if (ofAddress?.size === 0) this.#each.delete(address);
  }

  /** Tells why, and hangs up once it was read: a connection that is closed while something unread lies in it would lose the answer. */
  #refuse(socket: Socket, which: keyof ConnectionLimits): false {
    const { name, refusal } = this.#options;
    this.#warn(`${name}: too many connections`, { from: socket.remoteAddress, limit: which });
    if (!refusal || this.#refused.size >= this.#all) {
      socket.destroy();
      return false;
    }
    this.#refused.add(socket);
    socket.setTimeout(FAREWELL);
    const timer = setTimeout(() => socket.destroy(), FAREWELL);
    socket.once('close', () => {
      clearTimeout(timer);
      this.#refused.delete(socket);
    });
    socket.resume();
    socket.end(refusal(which));
    return false;
  }
}
