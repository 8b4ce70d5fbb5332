import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { PLATFORM_ISSUER } from '@walt/contract';
import { Gate, isHangUp, type Limits, type Log, rarely, UdpPort } from '../../../platform/index.ts';
import { storedLine } from '../chunk.ts';
import type { LogStore } from '../store.ts';
import { Frames } from './frames.ts';
import { type Message, readMessage, SYSLOG } from './message.ts';
import { NETCONSOLE, readNetconsole } from './netconsole.ts';

/** Bytes of datagrams that wait to be stored; beyond it, they are dropped, and counted. */
const MAX_WAITING = 16 * 1024 * 1024;
/** Bytes of datagrams that nobody has read yet: a switch that starts sends hundreds at once. */
const UNREAD = 8 * 1024 * 1024;
/** Streams of all addresses that are named by a program: whoever sends datagrams can make these up, and addresses. More go to `syslog`. */
const MAX_STREAMS = 20_000;
/** Streams of one address. */
const MAX_STREAMS_EACH = 200;
/** Milliseconds in which datagrams are gathered. */
const GATHER = 50;
/** Milliseconds after which lines that could not be stored are tried again, and between two looks at what was dropped. */
const RETRY = 1000;
const LOOK = 10_000;

interface Deps {
  store: LogStore;
  log: Log;
  limits: Limits['machines'];
  /** Whether an address is of walt-net. */
  isMachine: (ip: string) => boolean;
  /** Streams of all addresses that are named by a program; default: `MAX_STREAMS`. */
  streams?: number;
}

/** Stored lines of one address, by stream. */
type Streams = Map<string, Buffer[]>;

type Read = (bytes: Buffer, now: number) => Message;

/** Takes messages of whatever is on walt-net: syslog by UDP (RFC 5426) and TCP (RFC 6587), and what kernels send by netconsole. */
export class SyslogEndpoint {
  readonly #deps: Deps;
  readonly #server: Server;
  readonly #gate: Gate;
  readonly #warn: ReturnType<typeof rarely>;
  /** By address. */
  readonly #streams = new Map<string, Set<string>>();
  #named = 0;
  /** From datagrams, by address. */
  #waiting = new Map<string, Streams>();
  #waitingSize = 0;
  #storing: Promise<void> | undefined;
  /** Since the start. */
  #dropped = 0;
  #told = 0;
  /** What the kernel had dropped at the last look, since there was no room in the socket. */
  #lost = 0;
  readonly #udp: UdpPort[] = [];
  #timer: NodeJS.Timeout | undefined;
  readonly #closed = new AbortController();

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#warn = rarely(deps.log.warn);
    for (const { issuer, name } of deps.store.streams()) {
      if (name.startsWith(SYSLOG) || name === NETCONSOLE) this.#know(issuer, name);
    }
    this.#server = createServer((socket) => {
      this.#serve(socket).catch((error) => {
        if (!isHangUp(error) && !this.#closed.signal.aborted) this.#gate.fail(socket, error);
      });
    });
    this.#gate = new Gate(this.#server, { name: 'syslog', limits: deps.limits, log: deps.log });
  }

  /** Messages that were dropped since the start, as far as they were counted. */
  get dropped(): number {
    return this.#dropped;
  }

  /** All addresses but these have no streams any more. */
  forgetOthers(kept: ReadonlySet<string>): void {
    for (const [ip, names] of this.#streams) {
      if (kept.has(ip)) continue;
      this.#streams.delete(ip);
      this.#named -= namedOf(names);
    }
  }

  /** Resolves to the ports: 0 asks the system for free ones. */
  async listen(
    address: string,
    { syslog, netconsole }: { syslog: number; netconsole: number },
  ): Promise<{ udp: number; tcp: number; netconsole: number }> {
    this.#server.listen(syslog, address);
    await once(this.#server, 'listening');
    const open = async (name: string, port: number, read: Read) => {
      const opened = await UdpPort.open({
        ...{ name, log: this.#deps.log, address, port, room: UNREAD },
        receive: (bytes, from) => this.#receive(bytes, from.address, read),
      });
      this.#udp.push(opened);
      return opened.port;
    };
    const ports = {
      udp: await open('syslog', syslog, readMessage),
      netconsole: await open('netconsole', netconsole, readNetconsole),
    };
    this.#timer = setInterval(() => {
      this.#look().catch((error) => this.#warn('cannot tell what was dropped', { error: String(error) }));
    }, LOOK).unref();
    const bound = this.#server.address();
    return { ...ports, tcp: typeof bound === 'object' && bound !== null ? bound.port : 0 };
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#closed.abort();
    for (const port of this.#udp) await port.close();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    this.#gate.close();
    await Promise.all([closed, this.#storing]);
  }

  readonly #sockets = new Set<Socket>();

  #receive(bytes: Buffer, ip: string, read: Read): void {
    if (!this.#deps.isMachine(ip)) return;
    if (this.#waitingSize + bytes.length > MAX_WAITING) {
      this.#dropped += 1;
      return;
    }
    const streams = this.#waiting.get(ip) ?? new Map();
    if (!this.#add(ip, read(bytes, Date.now() * 1000), streams)) return;
    this.#waiting.set(ip, streams);
    this.#waitingSize += bytes.length;
    this.#storing ??= this.#store().finally(() => {
      this.#storing = undefined;
    });
  }

  /** What comes meanwhile is stored together. */
  async #store(): Promise<void> {
    while (this.#waiting.size > 0) {
      // While a transaction is written, nothing is read: the datagrams of a moment share one.
      await delay(GATHER);
      const batches = this.#waiting;
      this.#waiting = new Map();
      this.#waitingSize = 0;
      const stored = [...batches].map(([issuer, streams]) => this.#deps.store.append({ issuer, streams }));
      for (const [at, result] of (await Promise.allSettled(stored)).entries()) {
        if (result.status === 'fulfilled') continue;
        const lines = [...([...batches.values()][at]?.values() ?? [])].flat().length;
        this.#dropped += lines;
        this.#warn('messages were not stored', { reason: String(result.reason) });
      }
    }
  }

  async #serve(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const ip = socket.remoteAddress?.replace(/^::ffff:/, '');
    if (ip === undefined || !this.#deps.isMachine(ip)) return void socket.destroy();
    socket.setKeepAlive(true);
    const frames = new Frames();
    try {
      for await (const part of socket) {
        const messages = this.#cut(frames, part as Buffer);
        if (messages === undefined) break;
        // Who sends something is not the first to make room for others.
        if (messages.length > 0) this.#gate.busy(socket);
        await this.#take(ip, messages);
      }
    } finally {
      const rest = frames.end();
      if (rest.length > 0) await this.#take(ip, [rest]);
      socket.destroy();
    }
  }

  /** Undefined: it is no stream of messages. */
  #cut(frames: Frames, part: Buffer): Buffer[] | undefined {
    try {
      return frames.push(part);
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  /** Stores messages; who has sent them waits meanwhile, as long as it takes. */
  async #take(ip: string, messages: readonly Buffer[]): Promise<void> {
    const streams: Streams = new Map();
    for (const message of messages) this.#add(ip, readMessage(message, Date.now() * 1000), streams);
    while (streams.size > 0) {
      try {
        return await this.#deps.store.append({ issuer: ip, streams });
      } catch (error) {
        // That the database is away was told.
        if (!this.#deps.store.away) this.#warn('messages cannot be stored yet', { reason: String(error) });
        await delay(RETRY, undefined, { signal: this.#closed.signal });
      }
    }
  }

  /** Answers whether there is a stream for it. */
  #add(ip: string, { stream, time, lines }: Message, streams: Streams): boolean {
    if (lines.length === 0) return false;
    const name = [stream, SYSLOG].find((wanted) => this.#know(ip, wanted));
    if (name === undefined) {
      this.#dropped += 1;
      return false;
    }
    const stored = streams.get(name) ?? [];
    for (const line of lines) stored.push(storedLine(time, line));
    streams.set(name, stored);
    return true;
  }

  /** Whether an address has that stream, or may have it. */
  #know(ip: string, name: string): boolean {
    const known = this.#streams.get(ip) ?? new Set();
    if (known.has(name)) return true;
    // One place is left for what has no name.
    const most = name === SYSLOG ? MAX_STREAMS_EACH : MAX_STREAMS_EACH - 1;
    if (known.size >= most || (name !== SYSLOG && this.#named >= (this.#deps.streams ?? MAX_STREAMS)))
      return false;
    this.#named += namedOf([name]);
    this.#streams.set(ip, known.add(name));
    return true;
  }

  /** Tells how many messages were dropped since the last look. */
  async #look(): Promise<void> {
    const table = await readFile('/proc/net/udp', 'latin1');
    const lost = this.#udp.reduce((sum, { port }) => sum + droppedBy(table, port), 0);
    this.#dropped += Math.max(lost - this.#lost, 0);
    this.#lost = lost;
    const count = this.#dropped - this.#told;
    this.#told = this.#dropped;
    if (count === 0) return;
    const text = `${count} messages of syslog and netconsole were dropped: too many came at once, or too many streams.`;
    const lines = [storedLine(Date.now() * 1000, Buffer.from(text))];
    await this.#deps.store.append({ issuer: PLATFORM_ISSUER, streams: new Map([['platform.logs', lines]]) });
  }
}

/** All but `syslog`, of which each address may have one. */
function namedOf(names: Iterable<string>): number {
  return [...names].filter((name) => name !== SYSLOG).length;
}

/** Datagrams that the kernel has dropped of a port's sockets (proc(5), /proc/net/udp: the last column). */
export function droppedBy(table: string, port: number): number {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .filter(([, local]) => local?.endsWith(suffix))
    .reduce((sum, columns) => sum + Number(columns.at(-1)), 0);
}
