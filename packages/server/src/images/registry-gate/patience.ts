import type { IncomingMessage } from 'node:http';
import { GateError } from './failure.ts';

/** What `promise` comes to, if it does in `limit` milliseconds. Throws GateError `silent`; what comes later is dropped. */
export async function within<T>(promise: Promise<T>, limit: number, host: string): Promise<T> {
  const { promise: over, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new GateError('silent', host)), limit);
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The bytes of an answer. Throws GateError when there are more than `limit`, or none for `silence` milliseconds while somebody
 * wants them. The connection ends with the reader.
 */
export async function* chunksOf(
  response: IncomingMessage,
  { limit, silence, host }: { limit: number; silence: number; host: string },
): AsyncGenerator<Buffer> {
  const declared = Number(response.headers['content-length'] ?? 0);
  const chunks = response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let size = 0;
  try {
    if (declared > limit) throw new GateError('too-large', limit);
    for (;;) {
      const next = await within(chunks.next(), silence, host);
      if (next.done) return;
      size += next.value.length;
      if (size > limit) throw new GateError('too-large', limit);
      yield next.value;
    }
  } catch (error) {
    throw GateError.of(error, host);
  } finally {
    response.destroy();
  }
}

/** Milliseconds for a small answer as a whole: one that trickles would else take for ever. */
const WHOLE = 60_000;

/** All of a small answer. Throws as `chunksOf`. */
export async function readSmall(
  response: IncomingMessage,
  bounds: { limit: number; silence: number; host: string },
): Promise<Buffer> {
  try {
    return Buffer.concat(await within(Array.fromAsync(chunksOf(response, bounds)), WHOLE, bounds.host));
  } finally {
    response.destroy();
  }
}
