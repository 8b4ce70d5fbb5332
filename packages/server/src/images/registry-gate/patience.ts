import type { IncomingMessage } from 'node:http';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { GateError } from './failure.ts';

interface Bounds {
  /** Bytes. */
  limit: number;
  /** Milliseconds. */
  silence: number;
  host: string;
}

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
  { limit, silence, host }: Bounds,
): AsyncGenerator<Buffer> {
  const chunks = response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let size = 0;
  try {
    if (declaredSize(response) > limit) throw new GateError('too-large', limit);
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

/**
 * Passes the bytes of an answer on as they come, and ends `target` behind them; `onBytes` is told of each. Throws GateError as
 * `chunksOf`, and another error when `target` fails: then nobody wants them any more. Events rather than an iterator: TLS brings 16 KiB at a time, of which a clone has many.
 */
export async function passOn(
  response: IncomingMessage,
  target: Writable,
  { limit, silence, host, onBytes }: Bounds & { onBytes: (bytes: number) => void },
): Promise<void> {
  let [size, moved] = [0, Date.now()];
  const fail = (error: Error) => response.destroy(error);
  const onData = (chunk: Buffer) => {
    moved = Date.now();
    size += chunk.length;
    onBytes(chunk.length);
    if (size > limit) fail(new GateError('too-large', limit));
    else if (!write(target, chunk)) response.pause();
  };
  const onDrain = () => {
    moved = Date.now();
    response.resume();
  };
  // Who is not asked for anything may be silent.
  const looking = setInterval(
    () => {
      if (!response.isPaused() && Date.now() - moved > silence) fail(new GateError('silent', host));
    },
    Math.min(1000, silence),
  );
  let isLeft = false;
  const left = finished(target, { readable: false }).catch((error: Error) => {
    isLeft = true;
    fail(error);
  });
  target.on('drain', onDrain);
  try {
    if (declaredSize(response) > limit) throw new GateError('too-large', limit);
    response.on('data', onData);
    await finished(response, { writable: false });
    target.end();
    await left;
  } catch (error) {
    const failure = isLeft ? error : GateError.of(error, host);
    target.destroy();
    throw failure;
  } finally {
    clearInterval(looking);
    target.off('drain', onDrain);
    response.destroy();
  }
}

/** What comes in one turn leaves in one piece. */
function write(target: Writable, chunk: Buffer): boolean {
  if (target.writableCorked === 0) {
    target.cork();
    process.nextTick(() => target.uncork());
  }
  return target.write(chunk);
}

function declaredSize({ headers }: IncomingMessage): number {
  return Number(headers['content-length'] ?? 0);
}

/** Milliseconds for a small answer as a whole: one that trickles would else take for ever. */
const WHOLE = 60_000;

/** All of a small answer. Throws as `chunksOf`. */
export async function readSmall(response: IncomingMessage, bounds: Bounds): Promise<Buffer> {
  try {
    return Buffer.concat(await within(Array.fromAsync(chunksOf(response, bounds)), WHOLE, bounds.host));
  } finally {
    response.destroy();
  }
}
