import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Absolute path of a file of the project, given from its root. Works from the sources, from the bundle and from the Debian package
 * alike: the root is the nearest folder above this module that holds the launcher.
 */
export function projectFile(path: string): string {
  return join(root, path);
}

const LAUNCHER = 'walt-server';

function findRoot(folder: string): string {
  if (existsSync(join(folder, LAUNCHER))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error(`no ${LAUNCHER} above ${import.meta.dirname}`);
  return findRoot(parent);
}

const root = findRoot(import.meta.dirname);
