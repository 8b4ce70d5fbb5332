/** Turns a platform that does not run into what version 0.1 left: volumes and /persist in folders of the state folder's disk. */
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
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
  await ageBootFiles(paths);
  forgetMigrations(paths.database);
}

/** Boot files as an older server made them: what this one makes of the same image, it must make anew. */
async function ageBootFiles({ bootFiles }: Paths): Promise<void> {
  for (const name of await readdir(bootFiles)) {
    const file = join(bootFiles, name, 'boot.json');
    const record = JSON.parse(await readFile(file, 'utf8'));
    await writeFile(file, JSON.stringify({ ...record, layout: 1, realKernel: undefined }));
  }
}

/** Takes back the migrations from that of the file systems on: what they made, and that they ran. */
function forgetMigrations(file: string): void {
  const database = new DatabaseSync(file);
  try {
    // 0049-served-cycle; 0047-own-file-systems made nothing but an order to boot.
    database.exec('ALTER TABLE node DROP COLUMN served_cycle');
    // 0056-devices.
    database.exec('DROP TABLE device');
    // 0058-node-settings, 0059-ordered-at.
    database.exec('ALTER TABLE node DROP COLUMN settings; ALTER TABLE node DROP COLUMN ordered_at');
    // 0065-node-boots.
    database.exec('DROP TABLE node_boot');
    // 0071-real-kernel.
    database.exec('ALTER TABLE image_digest DROP COLUMN real_kernel');
    // 0100-log-checkpoints.
    database.exec('DROP TABLE log_checkpoint');
    // 0103-machine-settings: virtual nodes have the default sizes there.
    database.exec('ALTER TABLE node DROP COLUMN served_mounts');
    database.exec(
      'ALTER TABLE node ADD COLUMN cpu_cores integer; ALTER TABLE node ADD COLUMN ram_mib integer',
    );
    database.exec("UPDATE node SET cpu_cores = 2, ram_mib = 1024 WHERE type = 'virtual'");
    // 0120-hybrid-disk.
    database.exec('ALTER TABLE node DROP COLUMN boot_mode; ALTER TABLE node DROP COLUMN hybrid_disk');
    // 0135-node-guests.
    database.exec('DROP TABLE node_guest');
    // 0136-image-sharing.
    database.exec('DROP TABLE image_sharing');
    // 0140-made-by.
    database.exec('ALTER TABLE node DROP COLUMN made_by');
    // 0150-volume-servers.
    database.exec('ALTER TABLE node DROP COLUMN served_volumes; DROP TABLE volume_server');
    // 0151-volume-digests.
    database.exec('DROP TABLE volume_digest');
    // 0195-volume-trees: the table is gone.
    // 0160-no-kexec: the table is gone.
    const gone = database
      .prepare('DELETE FROM kysely_migration WHERE name >= ?')
      .run('0047-own-file-systems');
    if (gone.changes !== 17)
      throw new Error('there are newer migrations: take back what they made here, too');
  } finally {
    database.close();
  }
}
