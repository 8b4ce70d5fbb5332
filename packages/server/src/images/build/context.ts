/**
 * The folder of a build, from the tar that the client sends: hostile input, unpacked so that nothing lands outside. Names are bytes,
 * held as Latin-1 strings.
 */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, link, lutimes, mkdir, symlink, writeFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { MAX_BUILD_PATH } from '@walt/contract';
import { hasErrno, isUserError, type Limits, UserError } from '../../platform/index.ts';
import { bytesOf, isName, textOf } from '../../trees/index.ts';
import { readTar, type TarHeader } from '../layers/tar/index.ts';
import { type Attributed, isListed, withoutList, writeAttributes } from './attributes.ts';
import { quoted } from './dockerfile/index.ts';

export interface Context {
  /** Of names, modes, attributes and contents, whatever their times. */
  hash: string;
  /** A file with an access list, which does not get into images; undefined: there is none. */
  listed: string | undefined;
}

/** A file that is written as a whole: streams of thousands of small ones take their time. */
const SMALL = 1024 ** 2;
/** Bytes of all paths, and of all attributes: they are held in memory. */
const MAX_NAMES = 256 * 1024 ** 2;
const MAX_ATTRIBUTES = 64 * 1024 ** 2;

/** How layers say that a name is deleted (OCI image-spec layer.md). */
const WHITEOUT = '.wh.';

/**
 * Unpacks into `folder`, which must be new and nobody else's. Symbolic links are kept as they are, wherever they lead, and never
 * followed. Throws UserError INVALID for what no folder of sources holds or what is too much, UNAVAILABLE when the client leaves.
 */
export async function unpackContext(
  tar: Readable,
  folder: string,
  limits: Limits['build'],
): Promise<Context> {
  const unpacker = new Unpacker(folder, limits);
  try {
    for await (const { header, content } of readTar(tar)) await unpacker.add(header, content);
    return await unpacker.finish();
  } catch (error) {
    throw readable(error);
  } finally {
    tar.destroy();
  }
}

type Kind = 'folder' | 'file' | 'link';

class Unpacker {
  readonly #folder: string;
  readonly #limits: Limits['build'];
  /** What is there, by path; parents that came with no entry of their own are folders. */
  readonly #made = new Map<string, Kind>();
  /** For the end: a folder's mode and time, since its files must get in first. */
  readonly #folders: [path: Buffer, header: TarHeader][] = [];
  readonly #attributed: Attributed[] = [];
  readonly #hash = createHash('sha256');
  #bytes = 0;
  #entries = 0;
  #names = 0;
  #attributes = 0;
  #listed: string | undefined;

  constructor(folder: string, limits: Limits['build']) {
    this.#folder = folder;
    this.#limits = limits;
  }

  async add(sent: TarHeader, content: AsyncIterable<Buffer>): Promise<void> {
    this.#entries += 1;
    if (this.#entries > this.#limits.entries) throw tooLarge(`more than ${this.#limits.entries} files`);
    const path = safePath(sent.path);
    if (path === '') return;
    const header = withoutList(sent);
    if (isListed(sent)) this.#listed ??= shown(path);
    const { type, mode, size, target, mtime } = header;
    const attributes = [...header.attributes];
    this.#hash.update(`${JSON.stringify([path, type, mode, size, target, attributes])}\n`);
    await this.#makeParents(path);
    const full = this.#at(path);
    switch (type) {
      case 'folder':
        if (this.#made.get(path) !== 'folder') await this.#make(path, 'folder', () => mkdir(full, 0o755));
        this.#folders.push([full, header]);
        break;
      case 'file':
        this.#bytes += size;
        if (this.#bytes > this.#limits.bytes) throw tooLarge(`more than ${this.#limits.bytes} bytes`);
        await this.#make(path, 'file', () => this.#write(full, size, content));
        await chmod(full, mode);
        await lutimes(full, time(mtime), time(mtime));
        break;
      case 'link':
        await this.#make(path, 'link', () => symlink(bytesOf(target), full));
        await lutimes(full, time(mtime), time(mtime));
        return;
      case 'hard-link': {
        const other = safePath(target);
        if (this.#made.get(other) !== 'file') {
          throw refused(path, `is a hard link to ${shown(target)}, which is no file of the folder`);
        }
        await this.#make(path, 'file', () => link(this.#at(other), full));
        return;
      }
    }
    this.#note(path, attributes);
  }

  async finish(): Promise<Context> {
    // Writing to a file takes its capabilities away: attributes come after its content.
    await writeAttributes(this.#folder, this.#attributed);
    for (const [path, { mode, mtime }] of this.#folders.reverse()) {
      await chmod(path, mode);
      await lutimes(path, time(mtime), time(mtime));
    }
    return { hash: this.#hash.digest('hex'), listed: this.#listed };
  }

  #note(path: string, attributes: readonly [name: string, value: string][]): void {
    if (attributes.length === 0) return;
    for (const [name, value] of attributes) this.#attributes += path.length + name.length + value.length;
    if (this.#attributes > MAX_ATTRIBUTES) throw tooLarge(`more than ${MAX_ATTRIBUTES} bytes of attributes`);
    this.#attributed.push({ path, attributes });
  }

  /** "wx": never through what lies there already. */
  async #write(path: Buffer, size: number, content: AsyncIterable<Buffer>): Promise<void> {
    const hash = this.#hash;
    if (size <= SMALL) {
      const whole = Buffer.concat(await Array.fromAsync(content));
      hash.update(whole);
      await writeFile(path, whole, { flag: 'wx' });
      return;
    }
    async function* hashed() {
      for await (const chunk of content) {
        hash.update(chunk);
        yield chunk;
      }
    }
    await pipeline(hashed, createWriteStream(path, { flags: 'wx' }));
  }

  /** From the inside out: mostly, the next folder is there. */
  async #makeParents(path: string): Promise<void> {
    const missing: string[] = [];
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      const parent = path.slice(0, at);
      const kind = this.#made.get(parent);
      if (kind === 'folder') break;
      if (kind !== undefined) throw refused(path, `lies below ${shown(parent)}, which is no folder`);
      missing.push(parent);
    }
    for (const parent of missing.reverse()) {
      await this.#make(parent, 'folder', () => mkdir(this.#at(parent), 0o755));
    }
  }

  async #make(path: string, kind: Kind, act: () => Promise<unknown>): Promise<void> {
    if (this.#made.has(path)) throw refused(path, 'comes twice');
    this.#names += path.length;
    if (this.#names > MAX_NAMES) throw tooLarge(`more than ${MAX_NAMES} bytes of names`);
    await act();
    this.#made.set(path, kind);
  }

  #at(path: string): Buffer {
    return Buffer.concat([Buffer.from(`${this.#folder}/`), bytesOf(path)]);
  }
}

/** To a thousandth of a second: what Node sets exactly. */
function time(mtime: bigint): Date {
  return new Date(Number(mtime / 1_000_000n));
}

/** Relative, without `.` and empty parts; '' is the folder itself. */
function safePath(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (name.startsWith('/') || parts.includes('..')) throw refused(name, 'leads out of the folder');
  if (parts.some((part) => part.startsWith(WHITEOUT))) {
    throw refused(name, `begins with "${WHITEOUT}", which means a deletion in images`);
  }
  if (name.length > MAX_BUILD_PATH || !parts.every(isName))
    throw refused(name, `is longer than ${MAX_BUILD_PATH} bytes, or has a name that is none`);
  return parts.join('/');
}

function shown(path: string): string {
  return quoted(textOf(path));
}

function refused(name: string, reason: string): UserError {
  return new UserError(
    'INVALID',
    `The folder cannot be built from: ${shown(name)} ${reason}.`,
    'Remove it, or name it in .dockerignore.',
  );
}

function tooLarge(what: string): UserError {
  return new UserError(
    'INVALID',
    `The folder is too large to build from: it has ${what}.`,
    'Name what the build does not need in .dockerignore. The administrator sets limits.build-folder and -files in server.conf.',
  );
}

function readable(error: unknown): unknown {
  if (isUserError(error) || !(error instanceof Error)) return error;
  if (hasErrno(error, 'ENOSPC', 'EDQUOT')) return error;
  return new UserError('UNAVAILABLE', `The folder did not arrive: ${error.message}.`, 'Repeat the command.');
}
