/**
 * Writes a tar from the server into local folders. The archive is not trusted: images come from other users. Nothing leaves
 * the destination, no symbolic link below it is followed, no device is made, and no program gets set-user-ID here.
 */
import { chmod, lchown, link, lstat, lutimes, mkdir, open, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Header } from 'tar-stream';
import { AbortError, hasCode } from '../errors.ts';
import { type Landing, renameEntry } from './destination.ts';
import { type TarEntry, visitEntries } from './tar-entries.ts';

export interface UnpackOptions {
  landing: Landing;
  onBytes: (done: number) => void;
  onSkipped: (path: string) => void;
}

/** Resolves when all is written. Throws AbortError when the archive breaks off, or a file stands where a folder must be. */
export async function unpack(tar: Readable, options: UnpackOptions): Promise<void> {
  const unpacker = new Unpacker(options);
  await visitEntries(tar, (entry) => unpacker.write(entry));
  await unpacker.finish();
}

class Unpacker {
  readonly #options: UnpackOptions;
  #top: string | undefined;
  #done = 0;
  /** Folders whose mode and times are set last: until then things are written in them. */
  readonly #folders: { path: string; header: Header }[] = [];
  /** Folders known to be real ones. */
  readonly #safe = new Set<string>();

  constructor(options: UnpackOptions) {
    this.#options = options;
    this.#safe.add(options.landing.folder);
  }

  async write(entry: TarEntry): Promise<void> {
    const { header } = entry;
    this.#top ??= header.name;
    const path = this.#place(header.name);
    if (path === undefined) return;
    await this.#checkFolder(dirname(path));
    switch (header.type) {
      case 'directory':
        await this.#makeFolder(path);
        this.#folders.push({ path, header });
        return;
      case 'file':
      case 'contiguous-file':
        await clear(path);
        await this.#writeFile(path, entry);
        return setAttributes(path, header);
      case 'symlink':
        await clear(path);
        await symlink(header.linkname, path);
        return setAttributes(path, header);
      case 'link':
        return this.#makeHardLink(path, header.linkname);
      default:
        this.#options.onSkipped(path);
    }
  }

  async #writeFile(path: string, content: TarEntry): Promise<void> {
    const file = await open(path, 'wx', 0o600);
    try {
      for await (const chunk of content as AsyncIterable<Buffer>) {
        await file.writeFile(chunk);
        this.#done += chunk.length;
        this.#options.onBytes(this.#done);
      }
    } finally {
      await file.close();
    }
  }

  async finish(): Promise<void> {
    for (const { path, header } of this.#folders.reverse()) await setAttributes(path, header);
  }

  #place(name: string): string | undefined {
    const { folder, name: newName } = this.#options.landing;
    const renamed = renameEntry(name, this.#top ?? name, newName);
    return renamed === undefined ? undefined : join(folder, renamed);
  }

  async #makeHardLink(path: string, target: string): Promise<void> {
    const existing = this.#place(target);
    if (existing === undefined) return;
    await this.#checkFolder(dirname(existing));
    await clear(path);
    await link(existing, path);
  }

  async #makeFolder(path: string): Promise<void> {
    try {
      await mkdir(path, { mode: 0o700 });
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
    await this.#checkFolder(path);
  }

  /** A link that the archive brought must not lead what follows to another place. */
  async #checkFolder(path: string): Promise<void> {
    if (this.#safe.has(path)) return;
    await this.#checkFolder(dirname(path));
    if (!(await lstat(path)).isDirectory()) {
      throw new AbortError(
        'CONFLICT',
        `${path} is in the way: a folder must be there.`,
        'Move it, or copy to another place.',
      );
    }
    this.#safe.add(path);
  }
}

/** Makes room for a file. A folder is never replaced. */
async function clear(path: string): Promise<void> {
  try {
    await rm(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    if (!hasCode(error, 'ERR_FS_EISDIR')) throw error;
    throw new AbortError(
      'CONFLICT',
      `${path} is a folder, and a file of that name was to be copied.`,
      'Move it, or copy to another place.',
    );
  }
}

async function setAttributes(path: string, { type, mode, uid, gid, mtime }: Header): Promise<void> {
  // Only root may give files away; others get what they copy, as with tar(1).
  if (process.getuid?.() === 0) await lchown(path, uid, gid);
  if (type !== 'symlink') await chmod(path, mode & 0o1777);
  await lutimes(path, mtime, mtime);
}
