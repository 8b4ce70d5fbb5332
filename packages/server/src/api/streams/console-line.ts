import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { ConsolePort } from '../../nodes/index.ts';
import { lastBoot, Replay } from './console-replay.ts';
import { parseFrame, sendFrame } from './pump.ts';

/** Bytes. Beyond, a viewer that does not read misses output, and a node that does not read misses input, as on any serial line. */
const MAX_WAITING = 1024 * 1024;
/** Milliseconds after which a console that went away is not expected back: a reboot takes a fraction of that. */
const REBOOT_LIMIT = 10_000;
/** Milliseconds between attempts to reach it meanwhile. */
const REBOOT_POLL = 50;

/**
 * The serial console of one node, shared by its viewers, of whom one types. A virtual node's lasts over reboots, each of which is a
 * new QEMU with a new socket. It ends when the last viewer leaves or the node stays off.
 */
export class ConsoleLine {
  /** Why it could not be reached; undefined once it is. */
  readonly connected: Promise<unknown>;
  readonly closed: Promise<'closed'>;
  readonly #port: ConsolePort;
  readonly #over = new AbortController();
  #socket: Duplex | undefined;
  /** All who hold the line open, with their users' names, and those of them who see what is printed. */
  readonly #present = new Map<WebSocket, string>();
  readonly #watching = new Set<WebSocket>();
  #writer: WebSocket | undefined;
  readonly #recent = new Replay();
  #owner: string | null = null;

  constructor(port: ConsolePort) {
    this.#port = port;
    const first = this.#connect();
    this.connected = first.then(
      () => undefined,
      (error: unknown) => error,
    );
    this.closed = first.then(
      (socket) => this.#follow(socket),
      () => 'closed',
    );
  }

  /** True once it is for nobody any more. */
  get over(): boolean {
    return this.#over.signal.aborted;
  }

  /** Tells whose boot prints: what an earlier owner's printed is for nobody else. */
  belongTo(owner: string | null): void {
    if (this.#owner !== owner) this.#recent.clear();
    this.#owner = owner;
  }

  /** Counts a viewer in; the line stays open for him. */
  enter(viewer: WebSocket, user: string): void {
    this.#present.set(viewer, user);
  }

  /** Shows what the last boot printed, and from now on all that is printed; passes on what he types, if he is the one who does. */
  show(viewer: WebSocket): void {
    // No await between the two: every byte is shown once, in order.
    const before = lastBoot(this.#recent.bytes);
    if (before.length > 0) viewer.send(before, { binary: true });
    this.#watching.add(viewer);
    this.#tellWriter(viewer);
    viewer.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.#type(viewer, data);
      else if (parseFrame(data.toString())?.type === 'take') this.#writes(viewer);
    });
  }

  leave(viewer: WebSocket): void {
    this.#present.delete(viewer);
    this.#watching.delete(viewer);
    if (this.#writer === viewer) this.#writes(undefined);
    if (this.#present.size === 0) this.close();
  }

  #type(viewer: WebSocket, bytes: Buffer): void {
    if (this.#writer === undefined) this.#writes(viewer);
    const socket = this.#socket;
    if (this.#writer === viewer && socket?.writable && socket.writableLength < MAX_WAITING)
      socket.write(bytes);
  }

  #writes(viewer: WebSocket | undefined): void {
    if (this.#writer === viewer) return;
    this.#writer = viewer;
    for (const one of this.#watching) this.#tellWriter(one);
  }

  #tellWriter(viewer: WebSocket): void {
    const writer = this.#writer;
    const user = writer === undefined ? null : (this.#present.get(writer) ?? null);
    sendFrame(viewer, { type: 'writer', user, you: writer === viewer });
  }

  close(): void {
    this.#over.abort();
    this.#socket?.destroy();
  }

  /** A connection that is read from. What was printed before it is taken from the log. Throws where nobody answers. */
  async #connect(): Promise<Duplex> {
    const socket = await this.#port.open();
    if (this.over) {
      socket.destroy();
      throw new TypeError('nobody watches any more');
    }
    this.#socket = socket;
    // The few bytes that are printed while the log is read may come twice.
    this.#show(await this.#recent.catchUp(this.#port));
    socket.on('data', (chunk: Buffer) => this.#print(chunk));
    socket.resume();
    return socket;
  }

  async #follow(first: Duplex): Promise<'closed'> {
    let socket: Duplex | undefined = first;
    while (socket) {
      const line = socket;
      // A console that ends by a failure has ended, too.
      if (!line.closed) await new Promise((done) => line.once('close', done));
      socket = this.#port.comesBack ? await this.#reconnect() : undefined;
    }
    return 'closed';
  }

  async #reconnect(): Promise<Duplex | undefined> {
    const deadline = Date.now() + REBOOT_LIMIT;
    while (!this.over && Date.now() < deadline) {
      const socket = await this.#connect().catch(() => undefined);
      if (socket) return socket;
      await delay(REBOOT_POLL);
    }
    return undefined;
  }

  #print(chunk: Buffer): void {
    this.#recent.add(chunk);
    this.#show(chunk);
  }

  #show(chunk: Buffer): void {
    if (chunk.length === 0) return;
    for (const viewer of this.#watching) {
      if (viewer.readyState === viewer.OPEN && viewer.bufferedAmount < MAX_WAITING) {
        viewer.send(chunk, { binary: true });
      }
    }
  }
}
