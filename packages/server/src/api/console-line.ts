import { open } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { hasErrno } from '../platform/index.ts';

/** Bytes that a new viewer gets of what was printed before. */
const REPLAY = 16 * 1024;
/** Bytes. Beyond, a viewer that does not read misses output, and a node that does not read misses input, as on any serial line. */
const MAX_WAITING = 256 * 1024;

/** One connection to a console's socket, and those who share it. It ends when the last one leaves. */
export class ConsoleLine {
  /** False when the socket could not be reached. */
  readonly connected: Promise<boolean>;
  readonly closed: Promise<'closed'>;
  readonly #socket: Socket;
  /** All who hold the line open, and those of them who see what is printed. */
  readonly #present = new Set<WebSocket>();
  readonly #watching = new Set<WebSocket>();
  /** The last bytes printed. */
  #recent: Buffer = Buffer.alloc(0);

  constructor(path: string, log: string) {
    this.#socket = connect(path);
    this.closed = new Promise((resolve) => this.#socket.once('close', () => resolve('closed')));
    this.connected = this.#start(log);
    this.#socket.on('data', (chunk: Buffer) => this.#print(chunk));
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
      if (isBinary && this.#socket.writableLength < MAX_WAITING) this.#socket.write(data);
    });
  }

  leave(viewer: WebSocket): void {
    this.#present.delete(viewer);
    this.#watching.delete(viewer);
    if (this.#present.size === 0) this.close();
  }

  close(): void {
    this.#socket.destroy();
  }

  /** What was printed before this connection is in QEMU's log only; the few bytes printed while it is read may come twice. */
  async #start(log: string): Promise<boolean> {
    const connected = await new Promise<boolean>((resolve) => {
      this.#socket.once('connect', () => resolve(true));
      // Later failures end the line, too: `closed` tells.
      this.#socket.on('error', () => resolve(false));
    });
    if (connected) this.#recent = Buffer.concat([await readTail(log, REPLAY), this.#recent]);
    return connected;
  }

  #print(chunk: Buffer): void {
    this.#recent = Buffer.concat([this.#recent, chunk]).subarray(-REPLAY);
    for (const viewer of this.#watching) {
      if (viewer.readyState === viewer.OPEN && viewer.bufferedAmount < MAX_WAITING) {
        viewer.send(chunk, { binary: true });
      }
    }
  }
}

/** The last bytes of a file; none when there is no file. */
async function readTail(path: string, size: number): Promise<Buffer> {
  try {
    const file = await open(path);
    try {
      const { size: length } = await file.stat();
      const start = Math.max(0, length - size);
      const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(size, length)), 0, null, start);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return Buffer.alloc(0);
    throw error;
  }
}
