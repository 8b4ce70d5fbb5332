/** A tar of local files: owners, modes, times, symbolic and hard links as they are. */

import { once } from 'node:events';
import { createReadStream, type Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type Header, type Pack, pack } from 'tar-stream';

type NewHeader = Partial<Header> & Pick<Header, 'name'>;

export interface PackOptions {
  /** Name of the top entry; undefined: only what the folder contains. */
  name: string | undefined;
  /** What the tar does not get; default: it gets all. */
  filter?: { omits(name: string): boolean; mayHold(folder: string): boolean };
  /** Bytes of file content so far. */
  onBytes: (done: number) => void;
  /** A file that no tar can carry (socket) was left out. */
  onSkipped: (path: string) => void;
}

/** The stream fails when a file cannot be read: then the tar has no end, and is not taken for complete. */
export function packPath(path: string, options: PackOptions): Readable {
  const tar = pack();
  const packer = new Packer(tar, options);
  packer.add(path, options.name ?? '').then(
    () => tar.finalize(),
    (error: Error) => tar.destroy(error),
  );
  return Readable.from(tar);
}

class Packer {
  readonly #tar: Pack;
  readonly #options: PackOptions;
  /** First name of each file with several, by device and inode. */
  readonly #linked = new Map<string, string>();
  #done = 0;

  constructor(tar: Pack, options: PackOptions) {
    this.#tar = tar;
    this.#options = options;
  }

  async add(path: string, name: string): Promise<void> {
    const { filter } = this.#options;
    const omitted = name !== '' && filter?.omits(name) === true;
    if (omitted && !filter?.mayHold(name)) return;
    const info = await lstat(path);
    if (omitted && !info.isDirectory()) return;
    const header = entryHeader(name, info);
    if (info.isDirectory()) {
      if (name !== '' && !omitted) await this.#entry({ ...header, type: 'directory' });
      // Sorted, so that the same folder gives the same tar.
      for (const child of (await readdir(path)).sort()) {
        await this.add(join(path, child), name === '' ? child : `${name}/${child}`);
      }
    } else if (info.isSymbolicLink()) {
      await this.#entry({ ...header, type: 'symlink', linkname: await readlink(path) });
    } else if (info.isFile()) {
      await this.#addFile(path, header, info);
    } else if (info.isFIFO()) {
      await this.#entry({ ...header, type: 'fifo' });
    } else {
      this.#options.onSkipped(path);
    }
  }

  async #addFile(path: string, header: NewHeader, info: Stats): Promise<void> {
    const key = `${info.dev}:${info.ino}`;
    const first = info.nlink > 1 ? this.#linked.get(key) : undefined;
    if (first !== undefined) return this.#entry({ ...header, type: 'link', linkname: first });
    if (info.nlink > 1) this.#linked.set(key, header.name);
    const entry = this.#tar.entry({ ...header, type: 'file', size: info.size });
    // A file that grows meanwhile is cut at the size that the header promised.
    if (info.size > 0) {
      for await (const chunk of createReadStream(path, { end: info.size - 1 })) {
        await writeTo(entry, chunk);
        this.#done += chunk.length;
        this.#options.onBytes(this.#done);
      }
    }
    // Throws when the file has become shorter than the header promised.
    entry.end(null);
    await once(entry, 'close');
  }

  #entry(header: NewHeader): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#tar.entry(header, (error) => (error ? reject(error) : resolve()));
    });
  }
}

async function writeTo(entry: ReturnType<Pack['entry']>, chunk: Buffer): Promise<void> {
  if (!entry.write(chunk)) await once(entry, 'drain');
}

function entryHeader(name: string, info: Stats): NewHeader {
  return { name, mode: info.mode & 0o7777, uid: info.uid, gid: info.gid, mtime: info.mtime };
}
