/** Volumes, from a folder of the state folder's disk to their own file system. */
import { copyFile, mkdir, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  fileExists,
  namesIn,
  openVolumesDisk,
  type Paths,
  publishFile,
  run,
  volumesAreApart,
} from '../platform/index.ts';
import { requireRoom } from './room.ts';

/** Where they wait while the folder is the mount point of the new file system. */
function waiting({ volumes }: Pick<Paths, 'volumes'>): string {
  return `${volumes}.old`;
}

export async function hasOldVolumes(paths: Paths): Promise<boolean> {
  if (await fileExists(waiting(paths))) return true;
  return !(await volumesAreApart(paths)) && (await namesIn(paths.volumes)).length > 0;
}

/** One after the other, so that the disk needs room for the largest one only. */
export async function moveVolumes(paths: Paths, say: (text: string) => void): Promise<void> {
  const old = waiting(paths);
  await mkdir(old, { recursive: true, mode: 0o700 });
  if (!(await volumesAreApart(paths))) {
    for (const name of await namesIn(paths.volumes)) await rename(join(paths.volumes, name), join(old, name));
    await openVolumesDisk(paths);
  }
  const names = await readdir(old);
  for (const [index, name] of names.entries()) {
    say(`  volume ${index + 1} of ${names.length}`);
    const source = join(old, name);
    if (name.endsWith('.erofs')) await moveVolume(source, join(paths.volumes, name), paths);
    await rm(source, { recursive: true, force: true });
  }
  await rmdir(old);
}

async function moveVolume(source: string, target: string, paths: Paths): Promise<void> {
  // Named by their content: what is there is the same.
  if (await fileExists(target)) return;
  await requireRoom(paths.state, (await stat(source)).size, `The volume ${source}`);
  // Of one name: what an upgrade that was killed has left is written over by the next one.
  const temporary = `${target}.tmp`;
  try {
    await copyFile(source, temporary);
    await run(['cmp', '--', source, temporary]);
    await publishFile(temporary, target);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Overlays are made of other files today (boot/lending/trees.ts). */
export async function removeOldTrees(paths: Paths): Promise<void> {
  await rm(join(paths.services, 'nfs', 'trees'), { recursive: true, force: true });
  for (const image of await namesIn(paths.bootFiles)) {
    for (const name of await namesIn(join(paths.bootFiles, image))) {
      if (/^tree-[0-9a-f]{16}$/.test(name)) {
        await rm(join(paths.bootFiles, image, name), { recursive: true, force: true });
      }
    }
  }
}
