/**
 * A file tree that users made, an image's for example, seen as it sees itself: absolute links and `..` stay inside. Nothing that
 * is in it, or that somebody puts there meanwhile, makes root read or write a file outside of it (`folder.ts`). Paths and names
 * are bytes (`names.ts`); paths in answers have no link in them and no slash at their ends, and are empty for the root.
 */
import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { UserError } from '../platform/index.ts';
import { Folder } from './folder.ts';
import { join, partsOf, textOf } from './names.ts';

export interface TreePlace {
  path: string;
  stats: BigIntStats;
}

/** As many links as Linux follows in one path (path_resolution(7)). */
const MAX_LINKS = 40;

/** Folders that stay open, so that paths with the same beginning are found quickly. */
const MAX_KEPT = 128;

/** How far a path leads. */
type Found =
  | ({ kind: 'there' } & TreePlace)
  /** `path` is not there. `isLast`: its folder is. `link`: the last link on the way that was the path's end, if one was. */
  | { kind: 'missing'; path: string; isLast: boolean; link: TreePlace | undefined }
  | { kind: 'circle' };

export class Tree implements AsyncDisposable {
  /** Where it lies on the server. */
  readonly root: string;
  readonly #top: Folder;
  readonly #kept = new Map<string, Folder>();

  private constructor(root: string, top: Folder) {
    this.root = root;
    this.#top = top;
  }

  /** `root` is a path of the server's own. Throws when no folder is there. */
  static async open(root: string): Promise<Tree> {
    return new Tree(root, await Folder.open(root));
  }

  /** Where a path leads, all links followed. Undefined when nothing is there. */
  async find(path: string): Promise<TreePlace | undefined> {
    const found = await this.#follow(path);
    return found.kind === 'there' ? found : undefined;
  }

  /**
   * As `find`, for who wants to put something there: a link that leads nowhere stands for itself, and a name that is free in an
   * existing folder is answered without stats. Throws UserError INVALID when links go in circles.
   */
  async target(path: string): Promise<TreePlace | { path: string; stats?: undefined } | undefined> {
    const found = await this.#follow(path);
    if (found.kind === 'circle') throw tooManyLinks(path);
    if (found.kind === 'there') return found;
    return found.link ?? (found.isLast ? { path: found.path } : undefined);
  }

  /** As `find`, for regular files only. */
  async findFile(path: string): Promise<TreePlace | undefined> {
    const found = await this.find(path);
    return found?.stats.isFile() ? found : undefined;
  }

  /**
   * Where a file `path` would be put: `usr/bin/sh` for `/bin/sh` where `/bin` is a link. Parents that are missing are taken for
   * folders, and a link that leads nowhere is what would be replaced. Undefined when no file can have that path.
   */
  async placeFor(path: string): Promise<string | undefined> {
    const parts = partsOf(path);
    const name = parts?.pop();
    if (!parts || name === undefined || name === '..') return (await this.find(path))?.path;
    let folder = '';
    /** Of those, none is there. */
    const missing: string[] = [];
    for (const part of parts) {
      if (part === '..') {
        if (missing.pop() === undefined) folder = folder.split('/').slice(0, -1).join('/');
      } else if (missing.length > 0) missing.push(part);
      else {
        const found = await this.#follow(join(folder, part));
        if (found.kind === 'there') folder = found.path;
        else missing.push(part);
      }
    }
    return [...missing, name].reduce(join, folder);
  }

  /** What is at a path, no link followed, be it on the way or at its end. Undefined when nothing is there. */
  async stat(path: string): Promise<BigIntStats | undefined> {
    await using trail = new Trail(this.#top, this.#kept);
    const parts = partsOf(path);
    const name = parts?.pop();
    if (!parts) return undefined;
    if (name === undefined) return await trail.folder.stats();
    return (await trail.descend(parts)) ? await trail.folder.stat(name) : undefined;
  }

  /** Where a link points; undefined when it is none. No link is followed. */
  async readLink(path: string): Promise<string | undefined> {
    await using trail = new Trail(this.#top, this.#kept);
    const parts = partsOf(path);
    const name = parts?.pop();
    if (!parts || name === undefined || !(await trail.descend(parts))) return undefined;
    return await trail.folder.readLink(name);
  }

  /** Opens a regular file for reading; undefined when none is there. No link is followed. */
  async open(path: string): Promise<FileHandle | undefined> {
    await using trail = new Trail(this.#top, this.#kept);
    const parts = partsOf(path);
    const name = parts?.pop();
    if (!parts || name === undefined || !(await trail.descend(parts))) return undefined;
    return await trail.folder.file(name);
  }

  /** Names in a folder, unsorted, `limit` at most; undefined when it is none. No link is followed. */
  async names(path: string, limit?: number): Promise<string[] | undefined> {
    await using trail = new Trail(this.#top, this.#kept);
    const parts = partsOf(path);
    return parts && (await trail.descend(parts)) ? await trail.folder.names(limit) : undefined;
  }

  /**
   * Bytes of a regular file, links followed; undefined when there is none. Throws UserError INVALID when it has more than `limit`
   * bytes.
   */
  async read(path: string, limit: number): Promise<Buffer | undefined> {
    const place = await this.find(path);
    await using file = place && (await this.open(place.path));
    return file && (await readBounded(file, limit, path));
  }

  /** As `read`, text in UTF-8. */
  async readText(path: string, limit: number): Promise<string | undefined> {
    return (await this.read(path, limit))?.toString('utf8');
  }

  /** Makes a folder in one that is there. No link is followed. Throws when something has that path, or its parent is no folder. */
  async makeFolder(path: string, mode: number): Promise<void> {
    await this.#inParent(path, (folder, name) => folder.makeFolder(name, mode));
  }

  /** Removes an empty folder. No link is followed. Throws when it is not empty, or none. */
  async removeFolder(path: string): Promise<void> {
    await this.#inParent(path, (folder, name) => folder.removeFolder(name));
  }

  async #inParent(path: string, act: (parent: Folder, name: string) => Promise<void>): Promise<void> {
    await using trail = new Trail(this.#top, this.#kept);
    const parts = partsOf(path);
    const name = parts?.pop();
    if (!parts || name === undefined || !(await trail.descend(parts))) {
      throw new RangeError(`${JSON.stringify(textOf(path))} is in no folder of the tree`);
    }
    await act(trail.folder, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#top, ...this.#kept.values()].map((folder) => folder[Symbol.asyncDispose]()));
  }

  async #follow(path: string): Promise<Found> {
    await using trail = new Trail(this.#top, this.#kept);
    const ahead = partsOf(path)?.reverse();
    let links = 0;
    let link: TreePlace | undefined;
    const missing = (name: string): Found => {
      return { kind: 'missing', path: join(trail.path, name), isLast: ahead?.length === 0, link };
    };
    if (!ahead) return { kind: 'missing', path: '', isLast: false, link };
    for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
      if (name === '..') {
        await trail.up();
        continue;
      }
      if (ahead.length > 0 && (await trail.down(name))) continue;
      const stats = await trail.folder.stat(name);
      if (!stats) return missing(name);
      const here = { path: join(trail.path, name), stats };
      if (!stats.isSymbolicLink()) {
        if (ahead.length === 0) return { kind: 'there', ...here };
        if (await trail.down(name)) continue;
        return { kind: 'missing', path: here.path, isLast: false, link };
      }
      links += 1;
      if (links > MAX_LINKS) return { kind: 'circle' };
      if (ahead.length === 0) link = here;
      const target = await trail.folder.readLink(name);
      const parts = target === undefined ? undefined : partsOf(target);
      if (!parts) return missing(name);
      if (target?.startsWith('/')) await trail.toTop();
      ahead.push(...parts.reverse());
    }
    return { kind: 'there', path: trail.path, stats: await trail.folder.stats() };
  }
}

/** The way from a tree's root to a folder of it: each was opened in the one before, so that `..` is the one before, too. */
class Trail implements AsyncDisposable {
  readonly #top: Folder;
  readonly #kept: Map<string, Folder>;
  readonly #steps: { path: string; folder: Folder }[] = [];

  constructor(top: Folder, kept: Map<string, Folder>) {
    this.#top = top;
    this.#kept = kept;
  }

  get path(): string {
    return this.#steps.at(-1)?.path ?? '';
  }

  get folder(): Folder {
    return this.#steps.at(-1)?.folder ?? this.#top;
  }

  /** False when the name is no folder's: then the trail stays where it is. */
  async down(name: string): Promise<boolean> {
    const path = join(this.path, name);
    const folder = this.#kept.get(path) ?? (await this.folder.folder(name));
    if (!folder) return false;
    if (this.#kept.size < MAX_KEPT && !this.#kept.has(path)) this.#kept.set(path, folder);
    this.#steps.push({ path, folder });
    return true;
  }

  /** Down all of them, which may have `..` among them; false when one is no folder. */
  async descend(parts: readonly string[]): Promise<boolean> {
    for (const part of parts) {
      if (part === '..') await this.up();
      else if (!(await this.down(part))) return false;
    }
    return true;
  }

  async up(): Promise<void> {
    const step = this.#steps.pop();
    if (step && this.#kept.get(step.path) !== step.folder) await step.folder[Symbol.asyncDispose]();
  }

  async toTop(): Promise<void> {
    while (this.#steps.length > 0) await this.up();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.toTop();
  }
}

/** All of a file, however it grows meanwhile. */
async function readBounded(file: FileHandle, limit: number, path: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let total = 0; ; ) {
    const { size } = await file.stat();
    if (Math.max(size, total) > limit) throw tooLarge(path, Math.max(size, total), limit);
    // One byte more than it has, so that its end is seen in the same breath.
    const chunk = Buffer.allocUnsafe(Math.max(size - total, 0) + 1);
    const { bytesRead } = await file.read(chunk, 0, chunk.length, total);
    total += bytesRead;
    const part = chunk.subarray(0, bytesRead);
    chunks.push(part);
    if (bytesRead > 0 && total !== size) continue;
    return chunks.length === 1 ? part : Buffer.concat(chunks);
  }
}

/** For a file that has more bytes than the server takes of it. */
export function tooLarge(path: string, size: number, limit: number): UserError {
  return new UserError(
    'INVALID',
    `${textOf(path)} of the image is too large: ${megabytes(size)} MB, where the server takes up to ${megabytes(limit)} MB.`,
    'Shorten or remove the file.',
  );
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function tooManyLinks(path: string): UserError {
  return new UserError(
    'INVALID',
    `Too many links are on the way to ${textOf(path)}.`,
    'Do they go in circles?',
  );
}

/** Opens a tree for as long as `use` runs. */
export async function withTree<T>(root: string, use: (tree: Tree) => Promise<T>): Promise<T> {
  await using tree = await Tree.open(root);
  return await use(tree);
}
