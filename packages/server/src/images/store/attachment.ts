import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { isHangUp } from '../../platform/index.ts';

/**
 * The terminal of a program. Where the program leaves input unread at its end, the kernel tells a reset in place of an end, after the
 * last byte (unix(7)): that is an end, too.
 */
export class Attachment extends Duplex {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    let ended = false;
    const end = () => {
      if (!ended) this.push(null);
      ended = true;
    };
    socket.on('data', (chunk) => {
      if (!this.push(chunk)) socket.pause();
    });
    socket.on('end', end);
    socket.on('error', (error) => (isHangUp(error) ? end() : this.destroy(error)));
    socket.on('close', end);
    socket.pause();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, encoding, (error) => done(isHangUp(error) ? null : error));
  }

  override _final(done: () => void): void {
    this.#socket.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
