/** Files that are neither images nor /persist: keys, boot loaders, the configuration and the files that it names. */
import { lstat, readdir } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { type Config, fileExists, hasErrno, platformPaths } from '../platform/index.ts';
import type { SavedFile } from './generation.ts';

export interface FoundFile extends Pick<SavedFile, 'in' | 'path' | 'mode'> {
  from: string;
}

/** Keys of the configuration whose values are files. */
const NAMES_FILE = /^(?:passwordFile|ca|sslrootcert)$/;

/** Sorted by path. What can be made again is not among them. */
export async function findStateFiles(config: Config): Promise<FoundFile[]> {
  const paths = platformPaths(config);
  const [ownLoaders = ''] = paths.loaders;
  const found: FoundFile[] = [];
  for (const path of [
    paths.keys,
    ownLoaders,
    paths.lentLoaders,
    paths.identity,
    paths.logPlaces,
    paths.hosts,
  ]) {
    found.push(...(await filesAt(path, 'state', paths.state)));
  }
  const named = config.file === null ? [] : [resolve(config.file), ...filesNamedIn(config)];
  for (const path of new Set(named)) found.push(...(await filesAt(path, 'machine', '/')));
  return found.sort((a, b) => (a.from < b.from ? -1 : 1));
}

/** Where a file of a backup belongs. */
export function placeOf({ in: where, path }: Pick<SavedFile, 'in' | 'path'>, state: string): string {
  return join(where === 'state' ? state : '/', ...path);
}

/** Pure. */
export function filesNamedIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === 'string'
      ? NAMES_FILE.test(key) && inner.startsWith('/')
        ? [inner]
        : []
      : filesNamedIn(inner),
  );
}

async function filesAt(path: string, where: FoundFile['in'], base: string): Promise<FoundFile[]> {
  if (!(await fileExists(path))) return [];
  // A configuration may be a link to where an administrator keeps it.
  const known = where === 'state' ? await lstat(path) : undefined;
  if (known?.isDirectory()) {
    const inner = await readdir(path);
    return (await Promise.all(inner.map((name) => filesAt(join(path, name), where, base)))).flat();
  }
  if (known && !known.isFile()) return [];
  const mode = known ? known.mode & 0o7777 : 0o600;
  return [{ in: where, path: relative(base, path).split(sep), mode, from: path }];
}

/** True for what went away while it was looked at. */
export function isGone(error: unknown): boolean {
  return hasErrno(error, 'ENOENT');
}
