import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/**
 * Sends a file, or whatever `source` gives, as the rest of an answer. A client that leaves is no failure; what fails in `source` is
 * thrown, and breaks the connection, so that nobody takes the part for the whole. In all cases `source` is destroyed.
 */
export async function sendStream(response: ServerResponse, source: Readable): Promise<void> {
  let failed = false;
  source.once('error', () => {
    failed = !response.destroyed;
  });
  try {
    await pipeline(source, response);
  } catch (error) {
    if (failed) throw error;
  } finally {
    // An answer whose client had left before leaves it untouched.
    source.destroy();
  }
}

/**
 * What a generator gives, as a stream. It has run up to its first piece when this resolves, so that what fails before is for the
 * caller to tell, and its `finally` runs however the stream ends: a generator that was never begun would skip it.
 */
export async function streamOf(pieces: AsyncGenerator<Uint8Array, void>): Promise<Readable> {
  let first: IteratorResult<Uint8Array, void> | undefined = await pieces.next();
  const stream = new Readable({
    read() {
      const next = first ? Promise.resolve(first) : pieces.next();
      first = undefined;
      next.then(
        ({ done, value }) => this.push(done ? null : value),
        (error) => this.destroy(error),
      );
    },
    destroy(error, done) {
      pieces.return().then(
        () => done(error),
        (failure) => done(error ?? failure),
      );
    },
  });
  // Who reads hears of it; where nobody does, it must not end the server.
  stream.on('error', () => {});
  return stream;
}
