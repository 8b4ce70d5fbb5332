/**
 * Paths in the mounted tree of an image, which nobody changes meanwhile: links lead where they lead inside of it, never out.
 * Names are bytes, as Latin-1 strings.
 */
import type { BigIntStats } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { hasErrno, UserError } from '../platform/index.ts';

export interface TreePlace {
  /** Path below the root, without a link in it and without slashes at its ends; empty: the root itself. */
  path: string;
  /** What is there; undefined: nothing, though its folder is there. */
  stats: BigIntStats | undefined;
}

/** As many as the kernel follows (path_resolution(7)). */
const MAX_LINKS = 40;

/**
 * Where an absolute path leads, links followed (`links` so far). A link that leads nowhere stands for itself. Undefined when its
 * folder is not there. Throws UserError when links go in circles.
 */
export async function findInTree(root: string, path: string, links = 0): Promise<TreePlace | undefined> {
  const ahead = parts(path);
  let place: TreePlace = { path: '', stats: await statInTree(root, '') };
  let followed = links;
  for (let name = ahead.shift(); name !== undefined; name = ahead.shift()) {
    if (!place.stats?.isDirectory()) return undefined;
    if (name === '..') {
      const parent = place.path.split('/').slice(0, -1).join('/');
      place = { path: parent, stats: await statInTree(root, parent) };
      continue;
    }
    const next = join(place.path, name);
    const stats = await statInTree(root, next);
    if (!stats?.isSymbolicLink()) {
      place = { path: next, stats };
      continue;
    }
    followed += 1;
    if (followed > MAX_LINKS) throw tooManyLinks(path);
    const target = await readlink(at(root, next), 'latin1');
    if (ahead.length === 0) {
      const full = target.startsWith('/') ? target : `${place.path}/${target}`;
      const behind = await findInTree(root, full, followed);
      return behind?.stats ? behind : { path: next, stats };
    }
    ahead.unshift(...parts(target));
    if (target.startsWith('/')) place = { path: '', stats: await statInTree(root, '') };
  }
  return place;
}

/** Undefined when nothing is there. Links are not followed: `path` must have none but at its end. */
export async function statInTree(root: string, path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(at(root, path), { bigint: true });
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) return undefined;
    throw error;
  }
}

export function at(root: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')]);
}

export function join(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

/** What a user typed, as bytes. */
export function typed(path: string): string {
  return Buffer.from(path, 'utf8').toString('latin1');
}

export function shown(path: string): string {
  return Buffer.from(path, 'latin1').toString('utf8');
}

function parts(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function tooManyLinks(path: string): UserError {
  return new UserError(
    'INVALID',
    `Too many links are on the way to ${shown(path)}.`,
    'Do they go in circles?',
  );
}
