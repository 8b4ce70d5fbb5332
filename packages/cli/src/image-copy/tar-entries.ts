/** Entries of a tar that comes from the server. */
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { type Extract, extract } from 'tar-stream';
import { AbortError, hasCode } from '../errors.ts';

/** One entry: its header, and its content as a stream. */
export type TarEntry = Extract extends AsyncIterable<infer Entry> ? Entry : never;

/**
 * Calls `visit` for each entry in turn, which reads its content or leaves it; `stop` ends the reading. Throws AbortError when the
 * archive breaks off.
 */
export async function visitEntries(
  tar: Readable,
  visit: (entry: TarEntry, stop: () => void) => Promise<void>,
): Promise<void> {
  const entries = extract();
  let failure: Error | undefined;
  feed(tar, entries).catch((error: Error) => {
    failure = readableError(error);
    entries.destroy(failure);
  });
  let stopped = false;
  try {
    for await (const entry of entries) {
      await visit(entry, () => {
        stopped = true;
      });
      if (stopped) return;
      entry.resume();
    }
  } catch (error) {
    // An entry whose archive breaks off only says that it was destroyed.
    throw failure ?? error;
  } finally {
    tar.destroy();
  }
}

/** tar-stream is built on streamx, which `pipe` of Node's streams does not fit. */
async function feed(tar: Readable, entries: Extract): Promise<void> {
  for await (const chunk of tar) {
    if (!entries.write(chunk)) await once(entries, 'drain');
  }
  entries.end(null);
}

/** A response that ends early, or an archive cut in the middle, is one thing to the user. */
function readableError(error: Error): Error {
  if (!hasCode(error, 'ECONNRESET')) return error;
  return new AbortError('UNAVAILABLE', 'The copy broke off: the server sent no more.', 'Repeat the command.');
}
