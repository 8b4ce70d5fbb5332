import { stat } from 'node:fs/promises';
import type { LostChange } from '@walt/contract';
import { hasErrno } from '../../platform/index.ts';
import { textOf } from '../../trees/index.ts';
import type { ContainerState, LentFiles } from '../containers/index.ts';
import type { Verdict } from './changes.ts';

/** What a user changed in a container and no image will hold, sorted by path. */
export async function lostChanges({ lent }: ContainerState, { lost }: Verdict): Promise<LostChange[]> {
  const edited = (await editedFiles(lent)).map((path) => ({
    path,
    why: 'image shells and nodes are given one of their own',
  }));
  const all = [...lost.map(({ path, why }) => ({ path: textOf(path), why })), ...edited];
  return all.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Those that were written after podman had made them for the container's last start. */
async function editedFiles({ places, mark }: LentFiles): Promise<string[]> {
  const made = await timeOf(mark);
  if (made === undefined) return [];
  const edited: string[] = [];
  for (const [path, place] of places) {
    const written = await timeOf(place);
    if (written !== undefined && written > made) edited.push(path);
  }
  return edited;
}

/** Nanoseconds; undefined: there is none. */
async function timeOf(file: string): Promise<bigint | undefined> {
  if (file === '') return undefined;
  try {
    return (await stat(file, { bigint: true })).mtimeNs;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
