import { pipeline, type Readable, Transform } from 'node:stream';

/** A piece of what a program prints. */
export interface Printed {
  to: 'stdout' | 'stderr';
  bytes: Buffer;
}

/** Bytes of the head of podman's frames: the stream (1 standard output, 2 standard error), three zeros, the length (big-endian). */
const HEAD = 8;

/**
 * What a container without a terminal prints, in its order, from podman's frames (`Containers.attach`; Docker Engine API, "Attach to a
 * container: stream format"). The failure of either stream is that of both, and so is its end.
 */
export function printedIn(frames: Readable): Readable & AsyncIterable<Printed> {
  const printed = new PrintedPieces();
  pipeline(frames, printed, () => {});
  return printed;
}

class PrintedPieces extends Transform {
  #pending: Buffer = Buffer.alloc(0);

  constructor() {
    super({ readableObjectMode: true });
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    let rest = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (rest.length >= HEAD) {
      const end = HEAD + rest.readUInt32BE(4);
      if (rest.length < end) break;
      const piece: Printed = { to: rest[0] === 2 ? 'stderr' : 'stdout', bytes: rest.subarray(HEAD, end) };
      if (piece.bytes.length > 0) this.push(piece);
      rest = rest.subarray(end);
    }
    this.#pending = rest;
    done();
  }
}
