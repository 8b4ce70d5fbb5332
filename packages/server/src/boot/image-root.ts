import { lstat, readFile, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { hasErrno } from '../platform/index.ts';

/** As many links as Linux follows in one path (path_resolution(7)). */
const MAX_LINKS = 40;

/**
 * A mounted image's file tree, seen as the image sees itself: absolute links and `..` stay inside, so that no image
 * can make the server read a file of its own. The tree must not change meanwhile; images are mounted read-only.
 */
export class ImageRoot {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  static async open(root: string): Promise<ImageRoot> {
    return new ImageRoot(await realpath(root));
  }

  /** Path on the server of `path` in the image with all links followed; undefined when there is nothing. */
  async resolve(path: string): Promise<string | undefined> {
    const pending = path.split('/').reverse();
    const found: string[] = [];
    let links = 0;
    while (pending.length > 0) {
      const part = pending.pop();
      if (!part || part === '.') continue;
      if (part === '..') {
        found.pop();
        continue;
      }
      const here = join(this.#root, ...found, part);
      const target = await linkTarget(here);
      if (target === undefined) return undefined;
      if (target === null) {
        found.push(part);
        continue;
      }
      links += 1;
      if (links > MAX_LINKS) return undefined;
      if (target.startsWith('/')) found.length = 0;
      pending.push(...target.split('/').reverse());
    }
    return join(this.#root, ...found);
  }

  /**
   * Where a file `path` would be put, from the image's root and without a link on the way: `usr/bin/sh` for `/bin/sh` where
   * `/bin` is a link. Parents that are missing are taken for folders.
   */
  async place(path: string): Promise<string> {
    if (path === '/') return '';
    const parent = await this.resolve(dirname(path));
    const folder = parent === undefined ? await this.place(dirname(path)) : relative(this.#root, parent);
    return join(folder, basename(path));
  }

  /** Text of a regular file of the image, or undefined. */
  async read(path: string): Promise<string | undefined> {
    const file = await this.resolveFile(path);
    return file === undefined ? undefined : await readFile(file, 'utf8');
  }

  /** As `resolve`, for regular files only: never a device or FIFO that an image placed there. */
  async resolveFile(path: string): Promise<string | undefined> {
    const file = await this.resolve(path);
    return file !== undefined && (await lstat(file)).isFile() ? file : undefined;
  }
}

/** Where a link points; null: no link; undefined: nothing there. */
async function linkTarget(path: string): Promise<string | null | undefined> {
  try {
    return (await lstat(path)).isSymbolicLink() ? await readlink(path) : null;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'EACCES')) return undefined;
    throw error;
  }
}
