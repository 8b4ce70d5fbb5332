/**
 * Looks at an image's mounted tree, which its users made: a path in it is followed as the image itself would follow it, and
 * never out of it. Nobody else may change the tree meanwhile.
 */
import { lstat, mkdir, readdir, readlink, rmdir } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { hasErrno, UserError } from '../../platform/index.ts';

/** As many links as Linux follows (path_resolution(7)). */
const MAX_LINKS = 40;

/** Where a path leads inside the tree, all links followed: absolute, as the image sees it. Undefined when nothing is there. */
export async function resolveInside(root: string, path: string): Promise<string | undefined> {
  const rest = path.split('/').filter(Boolean);
  let found = '/';
  let links = 0;
  for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
    const next = posix.join(found, part);
    const stats = await lstatIfPresent(join(root, next));
    if (!stats) return undefined;
    if (!stats.isSymbolicLink()) found = next;
    else {
      links += 1;
      if (links > MAX_LINKS) return undefined;
      const target = await readlink(join(root, next));
      rest.unshift(...target.split('/').filter(Boolean));
      if (target.startsWith('/')) found = '/';
    }
  }
  return found;
}

/**
 * Makes a folder with those above it, where they are missing; answers the made ones, innermost first. Throws UserError INVALID
 * when one of them is a link or a file: what is installed would land elsewhere.
 */
export async function makeFolders(root: string, path: string): Promise<string[]> {
  const made: string[] = [];
  let place = '';
  for (const part of path.split('/').filter(Boolean)) {
    place = `${place}/${part}`;
    const stats = await lstatIfPresent(join(root, place));
    if (stats && !stats.isDirectory()) {
      throw new UserError(
        'INVALID',
        `${place} is no folder in the image, but a ${stats.isSymbolicLink() ? 'link' : 'file'}.`,
        'Choose another --prefix.',
      );
    }
    if (!stats) {
      await mkdir(join(root, place), { mode: 0o755 });
      made.unshift(place);
    }
  }
  return made;
}

/** Removes those of the folders that are empty, innermost first. */
export async function removeEmpty(root: string, folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    try {
      await rmdir(join(root, folder));
    } catch (error) {
      if (hasErrno(error, 'ENOTEMPTY', 'ENOENT')) return;
      throw error;
    }
  }
}

/** True when the image has what programs are built with: the C library's headers, and what each program starts with. */
export async function hasLibrary(root: string, multiarch: string): Promise<boolean> {
  const needed = ['/usr/include/stdio.h', `/usr/lib/${multiarch}/crt1.o`];
  const found = await Promise.all(needed.map((path) => resolveInside(root, path)));
  return found.every((path) => path !== undefined);
}

/**
 * Links to absolute paths in the image's folders of libraries, as Debian makes some (`libm.so`), with the places where they lead
 * in the image. In the container of a build, they would lead into the toolchain.
 */
export async function absoluteLinks(root: string, multiarch: string): Promise<Map<string, string>> {
  const links = new Map<string, string>();
  const folders = [`/usr/lib/${multiarch}`, `/lib/${multiarch}`, '/usr/lib', '/usr/local/lib'];
  for (const folder of folders) {
    const place = await resolveInside(root, folder);
    if (place === undefined) continue;
    for (const entry of await readdir(join(root, place), { withFileTypes: true })) {
      const { name } = entry;
      const path = `${place}/${name}`;
      if (!entry.isSymbolicLink() || !(await readlink(join(root, path))).startsWith('/')) continue;
      const target = await resolveInside(root, path);
      if (target !== undefined) links.set(`${folder}/${name}`, target);
    }
  }
  return links;
}

async function lstatIfPresent(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
