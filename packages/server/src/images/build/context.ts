/** The folder of a build, from the tar that the client sends: hostile input, unpacked so that nothing lands outside. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { chmod, link, lutimes, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Extract, extract, type Header } from 'tar-stream';
import { hasErrno, UserError } from '../../platform/index.ts';
import { quoted } from './dockerfile.ts';

/** Bytes of all files. */
const MAX_BYTES = 32 * 1024 ** 3;
/** A file that is written as a whole: streams of thousands of small ones take their time. */
const SMALL = 1024 ** 2;
const MAX_ENTRIES = 2_000_000;

/**
 * Unpacks into `folder`, which must be new and nobody else's. Symbolic links are kept as they are, wherever they lead, and never
 * followed. Answers a hash of names, modes and contents, whatever their times. Throws UserError INVALID for what no folder of sources holds, UNAVAILABLE when the tar breaks off.
 */
export async function unpackContext(
  tar: Readable,
  folder: string,
  limits = { bytes: MAX_BYTES, entries: MAX_ENTRIES },
): Promise<string> {
  const unpacker = new Unpacker(folder, limits);
  const entries = extract();
  let failure: unknown;
  feed(tar, entries).catch((error: Error) => {
    failure = readable(error);
    entries.destroy(error);
  });
  try {
    for await (const entry of entries) {
      await unpacker.add(entry.header, entry);
      entry.resume();
    }
  } catch (error) {
    // An entry whose archive breaks off only says that it was destroyed.
    throw failure ?? readable(error);
  } finally {
    tar.destroy();
  }
  if (failure) throw failure;
  return unpacker.finish();
}

/** tar-stream is built on streamx, which `pipeline` of Node's streams does not fit. */
async function feed(tar: Readable, entries: Extract): Promise<void> {
  for await (const chunk of tar) {
    if (entries.destroyed) return;
    if (!entries.write(chunk)) await Promise.race([once(entries, 'drain'), once(entries, 'close')]);
  }
  entries.end(null);
}

class Unpacker {
  readonly #folder: string;
  readonly #limits: { bytes: number; entries: number };
  /** What is there, by path; parents that came with no entry of their own are folders. */
  readonly #made = new Map<string, 'folder' | 'file' | 'link'>();
  /** A folder's mode and time, for the end: its files must get in first. */
  readonly #folders: [path: string, header: Header][] = [];
  readonly #hash = createHash('sha256');
  #bytes = 0;
  #entries = 0;

  constructor(folder: string, limits: { bytes: number; entries: number }) {
    this.#folder = folder;
    this.#limits = limits;
  }

  async add(header: Header, content: AsyncIterable<unknown>): Promise<void> {
    this.#entries += 1;
    if (this.#entries > this.#limits.entries) throw tooLarge(`more than ${this.#limits.entries} files`);
    const path = safePath(header.name);
    if (path === '') return;
    await this.#makeParents(path);
    const full = join(this.#folder, path);
    const { type, mode = 0, size = 0, linkname = '' } = header;
    this.#hash.update(`${JSON.stringify([path, type, mode & 0o7777, size, linkname])}\n`);
    if (header.type === 'directory') {
      if (this.#made.get(path) !== 'folder') await this.#make(path, 'folder', () => mkdir(full, 0o755));
      this.#folders.push([full, header]);
      return;
    }
    switch (header.type) {
      case 'file':
      case 'contiguous-file':
        this.#bytes += header.size ?? 0;
        if (this.#bytes > this.#limits.bytes) throw tooLarge(`more than ${this.#limits.bytes} bytes`);
        await this.#make(path, 'file', () => this.#write(full, size, content));
        await chmod(full, (header.mode ?? 0o644) & 0o7777);
        await lutimes(full, header.mtime ?? 0, header.mtime ?? 0);
        return;
      case 'symlink':
        await this.#make(path, 'link', () => symlink(header.linkname ?? '', full));
        await lutimes(full, header.mtime ?? 0, header.mtime ?? 0);
        return;
      case 'link': {
        const target = safePath(header.linkname ?? '');
        if (this.#made.get(target) !== 'file') {
          throw refused(
            header.name,
            `is a hard link to ${quoted(header.linkname ?? '')}, which is no file of the folder`,
          );
        }
        await this.#make(path, 'file', () => link(join(this.#folder, target), full));
        return;
      }
      default:
        throw refused(header.name, 'is neither a file, nor a folder, nor a link');
    }
  }

  /** "wx": never through what lies there already. */
  async #write(path: string, size: number, content: AsyncIterable<unknown>): Promise<void> {
    const hash = this.#hash;
    if (size <= SMALL) {
      const whole = Buffer.concat((await Array.fromAsync(content)) as Buffer[]);
      hash.update(whole);
      await writeFile(path, whole, { flag: 'wx' });
      return;
    }
    async function* hashed() {
      for await (const chunk of content) {
        hash.update(chunk as Buffer);
        yield chunk;
      }
    }
    await pipeline(hashed, createWriteStream(path, { flags: 'wx' }));
  }

  async finish(): Promise<string> {
    for (const [path, { mode = 0o755, mtime }] of this.#folders.reverse()) {
      await chmod(path, mode & 0o7777);
      if (mtime) await lutimes(path, mtime, mtime);
    }
    return this.#hash.digest('hex');
  }

  async #makeParents(path: string): Promise<void> {
    const parts = path.split('/').slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth += 1) {
      const parent = parts.slice(0, depth).join('/');
      const kind = this.#made.get(parent);
      if (kind === undefined)
        await this.#make(parent, 'folder', () => mkdir(join(this.#folder, parent), 0o755));
      else if (kind !== 'folder') throw refused(path, `lies below ${quoted(parent)}, which is no folder`);
    }
  }

  async #make(path: string, kind: 'folder' | 'file' | 'link', act: () => Promise<unknown>): Promise<void> {
    if (this.#made.has(path)) throw refused(path, 'comes twice');
    await act();
    this.#made.set(path, kind);
  }
}

/** Relative, without `.` and empty parts; '' is the folder itself. */
function safePath(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (name.startsWith('/') || parts.includes('..') || name.includes('\0') || name.length > 4096) {
    throw refused(name, 'leads out of the folder');
  }
  return parts.join('/');
}

function refused(name: string, reason: string): UserError {
  return new UserError(
    'INVALID',
    `The folder cannot be built from: ${quoted(name)} ${reason}.`,
    'Remove it, or name it in .dockerignore.',
  );
}

function tooLarge(what: string): UserError {
  return new UserError(
    'INVALID',
    `The folder is too large to build from: it has ${what}.`,
    'Name what the build does not need in .dockerignore.',
  );
}

function readable(error: unknown): unknown {
  if (error instanceof UserError || !(error instanceof Error)) return error;
  if (hasErrno(error, 'ENOSPC', 'EDQUOT')) return error;
  return new UserError('UNAVAILABLE', `The folder did not arrive: ${error.message}.`, 'Repeat the command.');
}
