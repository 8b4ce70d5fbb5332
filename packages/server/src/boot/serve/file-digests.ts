import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

/** Files whose digests are remembered: kernel and modules of a few hundred images. */
const MAX_FILES = 1000;
const NOTHING = new Uint8Array();

/** Digests of files that nodes load, each computed once as long as it stays the same file. */
export class FileDigests {
  /** By what stands before the file. */
  #known = new WeakMap<Uint8Array, Map<string, Promise<string>>>();

  /** `sha256:HEX` of a file with these bytes before it. Throws when it cannot be read. */
  async of(path: string, head: Uint8Array = NOTHING): Promise<string> {
    const { ino, size, mtimeMs } = await stat(path);
    const files = this.#known.get(head) ?? new Map<string, Promise<string>>();
    this.#known.set(head, files);
    const key = `${path}\0${ino} ${size} ${mtimeMs}`;
    const known = files.get(key);
    if (known) return known;
    if (files.size >= MAX_FILES) files.clear();
    const computed = digestOf(path, head);
    files.set(key, computed);
    computed.catch(() => files.delete(key));
    return computed;
  }
}

async function digestOf(path: string, head: Uint8Array): Promise<string> {
  const hash = createHash('sha256').update(head);
  await pipeline(createReadStream(path), hash);
  return `sha256:${hash.digest('hex')}`;
}
