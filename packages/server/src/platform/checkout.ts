import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Absolute path of a file of the project, given from its root. Works from the sources and from the bundle alike: the root is the
 * nearest folder above this module that holds the lock file.
 */
export function projectFile(path: string): string {
  return join(root, path);
}

function findRoot(folder: string): string {
  if (existsSync(join(folder, 'package-lock.json'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error(`no package-lock.json above ${import.meta.dirname}`);
  return findRoot(parent);
}

const root = findRoot(import.meta.dirname);
