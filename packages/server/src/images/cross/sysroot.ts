/** Looks at the mounted tree of an image that is built for, and makes the folder that takes what is installed. */
import { hasErrno, UserError } from '../../platform/index.ts';
import { rawOf, type Tree, textOf } from '../../trees/index.ts';

/** Names of a folder of libraries that are looked at: more than any system has. */
const MAX_LIBRARIES = 100_000;

/**
 * Makes a folder with those above it, where they are missing; answers the made ones, innermost first. Throws UserError INVALID
 * when one of them is a link or a file: what is installed would land elsewhere.
 */
export async function makeFolders(tree: Tree, path: string): Promise<string[]> {
  const made: string[] = [];
  let place = '';
  for (const part of path.split('/').filter(Boolean)) {
    place = `${place}/${part}`;
    const stats = await tree.stat(rawOf(place));
    if (stats && !stats.isDirectory()) {
      throw new UserError(
        'INVALID',
        `${place} is no folder in the image, but a ${stats.isSymbolicLink() ? 'link' : 'file'}.`,
        'Choose another --prefix.',
      );
    }
    if (!stats) {
      await tree.makeFolder(rawOf(place), 0o755);
      made.unshift(place);
    }
  }
  return made;
}

/** Removes those of the folders that are empty, innermost first. */
export async function removeEmpty(tree: Tree, folders: readonly string[]): Promise<void> {
  for (const path of folders) {
    try {
      await tree.removeFolder(rawOf(path));
    } catch (error) {
      if (hasErrno(error, 'ENOTEMPTY', 'ENOENT')) return;
      throw error;
    }
  }
}

/** True when the image has what programs are built with: the C library's headers, and what each program starts with. */
export async function hasLibrary(tree: Tree, multiarch: string): Promise<boolean> {
  const needed = ['/usr/include/stdio.h', `/usr/lib/${multiarch}/crt1.o`];
  const found = await Promise.all(needed.map((path) => tree.find(path)));
  return found.every((place) => place !== undefined);
}

/**
 * Links to absolute paths in the image's folders of libraries, as Debian makes some (`libm.so`), with the places where they lead
 * in the image. In the container of a build, they would lead into the toolchain.
 */
export async function absoluteLinks(tree: Tree, multiarch: string): Promise<Map<string, string>> {
  const links = new Map<string, string>();
  const folders = [`/usr/lib/${multiarch}`, `/lib/${multiarch}`, '/usr/lib', '/usr/local/lib'];
  for (const folder of folders) {
    const place = await tree.find(folder);
    for (const name of (place && (await tree.names(place.path, MAX_LIBRARIES))) ?? []) {
      const path = `${place?.path}/${name}`;
      if (!(await tree.readLink(path))?.startsWith('/')) continue;
      const target = await tree.find(path);
      if (target !== undefined) links.set(`${folder}/${textOf(name)}`, `/${textOf(target.path)}`);
    }
  }
  return links;
}
