import { once } from 'node:events';
import { open } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import { dial, hasErrno } from '../../platform/index.ts';

/** Bytes that a new viewer gets of what was printed before. */
const REPLAY = 16 * 1024;
/** Bytes. Beyond, a viewer that does not read misses output, and a node that does not read misses input, as on any serial line. */
const MAX_WAITING = 256 * 1024;
/** Bytes by which what was shown is found again in the log. */
const MARK = 512;
/** Milliseconds after which a console that went away is not expected back: a reboot takes a fraction of that. */
const REBOOT_LIMIT = 10_000;
/** Milliseconds between attempts to reach it meanwhile. */
const REBOOT_POLL = 50;

/**
 * The serial console of one node, shared by its viewers. It lasts over reboots, each of which is a new QEMU with a new socket, and
 * ends when the last viewer leaves or the node stays off.
 */
export class ConsoleLine {
  /** False when the socket could not be reached. */
  readonly connected: Promise<boolean>;
  readonly closed: Promise<'closed'>;
  readonly #path: string;
  readonly #log: string;
  readonly #over = new AbortController();
  #socket: Socket | undefined;
  /** All who hold the line open, and those of them who see what is printed. */
  readonly #present = new Set<WebSocket>();
  readonly #watching = new Set<WebSocket>();
  /** The last bytes printed. */
  #recent: Buffer = Buffer.alloc(0);
  #owner: string | null = null;

  /** `log` is the file where QEMU records what the console prints. */
  constructor(path: string, log: string) {
    this.#path = path;
    this.#log = log;
    const first = this.#connect();
    this.connected = first.then((socket) => socket !== undefined);
    this.closed = first.then((socket) => this.#follow(socket));
  }

  /** True once it is for nobody any more. */
  get over(): boolean {
    return this.#over.signal.aborted;
  }

  /** Tells whose boot prints: what an earlier owner's printed is for nobody else. */
  belongTo(owner: string | null): void {
    if (this.#owner !== owner) this.#recent = Buffer.alloc(0);
    this.#owner = owner;
  }

  /** Counts a viewer in; the line stays open for him. */
  enter(viewer: WebSocket): void {
    this.#present.add(viewer);
  }

  /** Shows what was printed last, and from now on all that is printed; passes on what he types. */
  show(viewer: WebSocket): void {
    // No await between the two: every byte is shown once, in order.
    if (this.#recent.length > 0) viewer.send(this.#recent, { binary: true });
    this.#watching.add(viewer);
    viewer.on('message', (data: Buffer, isBinary: boolean) => {
      const socket = this.#socket;
      if (isBinary && socket?.writable && socket.writableLength < MAX_WAITING) socket.write(data);
    });
  }

  leave(viewer: WebSocket): void {
    this.#present.delete(viewer);
    this.#watching.delete(viewer);
    if (this.#present.size === 0) this.close();
  }

  close(): void {
    this.#over.abort();
    this.#socket?.destroy();
  }

  /** A connection that is read from; undefined when there is none. What was printed before it is taken from the log. */
  async #connect(): Promise<Socket | undefined> {
    // Undefined when nobody listens there.
    const socket = await dial({ path: this.#path }).catch(() => undefined);
    if (!socket) return undefined;
    if (this.over) {
      socket.destroy();
      return undefined;
    }
    this.#socket = socket;
    // The few bytes that are printed while the log is read may come twice.
    this.#print(unseen(await readTail(this.#log, REPLAY), this.#recent));
    socket.on('data', (chunk: Buffer) => this.#print(chunk));
    return socket;
  }

  async #follow(first: Socket | undefined): Promise<'closed'> {
    let socket = first;
    while (socket) {
      if (!socket.closed) await once(socket, 'close');
      socket = await this.#reconnect();
    }
    return 'closed';
  }

  async #reconnect(): Promise<Socket | undefined> {
    const deadline = Date.now() + REBOOT_LIMIT;
    while (!this.over && Date.now() < deadline) {
      const socket = await this.#connect();
      if (socket) return socket;
      await delay(REBOOT_POLL);
    }
    return undefined;
  }

  #print(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#recent = Buffer.concat([this.#recent, chunk]).subarray(-REPLAY);
    for (const viewer of this.#watching) {
      if (viewer.readyState === viewer.OPEN && viewer.bufferedAmount < MAX_WAITING) {
        viewer.send(chunk, { binary: true });
      }
    }
  }
}

/** What of the log's end comes after the bytes that were printed last. */
function unseen(end: Buffer, recent: Buffer): Buffer {
  const mark = recent.subarray(-MARK);
  const at = mark.length === 0 ? -1 : end.lastIndexOf(mark);
  return at === -1 ? end : end.subarray(at + mark.length);
}

/** The last bytes of a file; none when there is no file. */
async function readTail(path: string, size: number): Promise<Buffer> {
  try {
    await using file = await open(path);
    const { size: length } = await file.stat();
    const start = Math.max(0, length - size);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length - start), 0, null, start);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return Buffer.alloc(0);
    throw error;
  }
}
