/** Turns a platform that does not run into what version 0.1 left: volumes and /persist in folders of the state folder's disk. */
import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { closeDisks, type Paths, run } from '../packages/server/src/platform/index.ts';

export async function toOldLayout(paths: Paths): Promise<void> {
  const volumes = `${paths.volumes}.copy`;
  await run(['cp', '--archive', '--', paths.volumes, volumes]);
  await closeDisks(paths);
  await rm(paths.volumes, { recursive: true });
  await rename(volumes, paths.volumes);
  await rm(paths.volumesImage);
  for (const owner of await readdir(paths.persist)) {
    for (const name of await readdir(join(paths.persist, owner))) {
      const image = join(paths.persist, owner, name);
      const folder = image.slice(0, -'.img'.length);
      await mkdir(folder);
      const copy = 'mount -o loop "$1" /mnt; cp --archive /mnt/. "$2"; umount /mnt';
      const apart = ['unshare', '--mount', '--propagation', 'private', '--'];
      await run([...apart, 'sh', '-euc', copy, 'sh', image, folder]);
      await rm(image);
    }
  }
  // As it was: open to all on the machine.
  await chmod(paths.state, 0o711);
  await rm(join(paths.services, 'nfs'), { recursive: true });
  forgetMigration(paths.database, '0047-own-file-systems');
}

/** Undoes what it did not make: it must be the last one that ran. */
function forgetMigration(file: string, name: string): void {
  const database = new DatabaseSync(file);
  const { changes } = database.prepare('DELETE FROM kysely_migration WHERE name >= ?').run(name);
  database.close();
  if (changes !== 1) throw new Error(`${name} is not the last migration: this needs more work`);
}
