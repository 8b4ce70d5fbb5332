/**
 * The tar of an overlay's upper folder, from a machine whose root is its user: hostile input. Nothing of it is unpacked; it becomes
 * a tree of headers in memory, and contents that are kept in a file one after the other.
 */
import type { FileHandle } from 'node:fs/promises';
import { UserError } from '../../platform/index.ts';
import { isName, type Tree, textOf } from '../../trees/index.ts';
import { MAX_DEPTH } from '../layers/index.ts';
import { Held, type HeldLimits, readTar, type TarEntry, type TarHeader } from '../layers/tar/index.ts';

export interface SentFile {
  /** Absolute, empty for the root; bytes as Latin-1. */
  path: string;
  header: TarHeader;
  children: SentFile[];
  /** What came before it, and of which it is one more name. */
  origin?: SentFile;
  /** How many names it has, if it came first of them. */
  names: number;
  /** Where its bytes begin in the file of contents. */
  at: number;
  /** Whether a file of the same size and time in the image has the same bytes. */
  sameContent: boolean;
}

const LIMITS: HeldLimits = { entries: 250_000, names: 64 * 1024 ** 2, attributes: 32 * 1024 ** 2 };

/**
 * Reads the tar. `image` is the tree of what the machine runs. Without `contents`, only what is told of files is kept; `limit`: bytes of all of them. Throws
 * UserError INVALID for what no upper folder can be, and for what is too much.
 */
export async function readSentTree(
  tar: AsyncIterable<Buffer>,
  { image, contents, limit }: { image: Tree; contents: FileHandle | undefined; limit: number },
): Promise<SentTree> {
  const tree = new SentTree(image, contents, limit);
  for await (const entry of readTar(tar, { special: true })) await tree.add(entry);
  if (!tree.find('')) throw wrong('', 'is missing');
  return tree;
}

export class SentTree {
  readonly #image: Tree;
  readonly #contents: FileHandle | undefined;
  readonly #limit: number;
  readonly #files = new Map<string, SentFile>();
  readonly #held = new Held(LIMITS, tooMuch);
  #bytes = 0;

  constructor(image: Tree, contents: FileHandle | undefined, limit: number) {
    this.#image = image;
    this.#contents = contents;
    this.#limit = limit;
  }

  find(path: string): SentFile | undefined {
    return this.#files.get(path);
  }

  /** Bytes of a file, of which the contents were kept. */
  async *contentOf({ at, header: { size } }: SentFile): AsyncGenerator<Buffer> {
    if (!this.#contents) throw new TypeError('contents were not kept');
    for (let done = 0; done < size; ) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK, size - done));
      const { bytesRead } = await this.#contents.read(chunk, 0, chunk.length, at + done);
      if (bytesRead === 0) throw new Error('the contents of what was sent have become shorter');
      done += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  }

  async add({ header, content }: TarEntry): Promise<void> {
    const path = absolute(header.path);
    if (this.#files.has(path)) throw wrong(path, 'comes twice');
    this.#held.entry(header);
    this.#held.attributes(header);
    const file: SentFile = { path, header, children: [], names: 1, at: this.#bytes, sameContent: false };
    if (header.type === 'hard-link') file.origin = this.#linked(path, header.target);
    if (path === '') {
      if (header.type !== 'folder') throw wrong(path, 'is no folder');
    } else {
      const parent = this.#files.get(path.slice(0, path.lastIndexOf('/')));
      if (parent?.header.type !== 'folder') throw wrong(path, 'comes before its folder');
      parent.children.push(file);
    }
    this.#files.set(path, file);
    if (header.type === 'file') file.sameContent = await this.#take(file, content);
  }

  #linked(path: string, target: string): SentFile {
    const found = this.#files.get(absolute(target));
    if (!found || found.header.type === 'folder') throw wrong(path, 'is a link to a file that did not come');
    const origin = originOf(found);
    origin.names += 1;
    return origin;
  }

  /** Keeps the bytes; true when they are the image's. */
  async #take({ path, header, at }: SentFile, content: AsyncIterable<Buffer>): Promise<boolean> {
    if (at + header.size > this.#limit) throw tooMuch(`more than ${this.#limit} bytes`);
    this.#bytes += header.size;
    await using below = await this.#similar(path, header);
    let same = below !== undefined;
    let done = 0;
    for await (const chunk of content) {
      await this.#contents?.write(chunk, 0, chunk.length, at + done);
      if (below && same) same = await hasBytes(below, chunk, done);
      done += chunk.length;
    }
    return same;
  }

  /** What the image has there, if only its bytes can tell them apart. */
  async #similar(path: string, { size, mtime }: TarHeader): Promise<FileHandle | undefined> {
    const stats = await this.#image.stat(path);
    if (!stats?.isFile() || Number(stats.size) !== size || stats.mtimeNs !== mtime) return undefined;
    return await this.#image.open(path);
  }
}

/** The file itself, of which a name was sent. */
export function originOf(file: SentFile): SentFile {
  return file.origin ?? file;
}

const CHUNK = 256 * 1024;

async function hasBytes(file: FileHandle, wanted: Buffer, at: number): Promise<boolean> {
  const own = Buffer.allocUnsafe(wanted.length);
  const { bytesRead } = await file.read(own, 0, own.length, at);
  return bytesRead === wanted.length && own.equals(wanted);
}

/** `./a/b/` becomes `/a/b`. */
function absolute(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.length > MAX_DEPTH) throw wrong(name, `is more than ${MAX_DEPTH} folders deep`);
  if (name.startsWith('/') || !parts.every(isName))
    throw wrong(name, 'is no name that a file there can have');
  return parts.map((part) => `/${part}`).join('');
}

function wrong(path: string, what: string): UserError {
  return new UserError(
    'INVALID',
    `What the node sent cannot be what was changed on it: ${JSON.stringify(textOf(path.slice(0, 300)) || '/')} ${what}.`,
    'Reboot the node if you do not trust what runs there.',
  );
}

function tooMuch(what: string): UserError {
  return new UserError(
    'INVALID',
    `Too much was changed on the node: ${what}.`,
    'Remove what need not be saved, or copy what matters: walt node cp. The administrator sets limits.node-changes in server.conf.',
  );
}
