/**
 * Brings the state folder of an older version to today's layout, before the server starts. Whatever kills it, the next start goes on:
 * each step finds what is done. Nothing is deleted before its copy is on the disk.
 */
import type { Paths } from '../platform/index.ts';
import { movePersist, oldPersistFolders } from './persist.ts';
import { hasOldVolumes, moveVolumes, removeOldTrees } from './volumes.ts';

interface Upgrade {
  paths: Paths;
  /** Bytes of a /persist. */
  persistSize: number;
  /** Ends the NFS server of the older version, which exports what lies open. */
  stopNfs(): Promise<void>;
  say(text: string): void;
}

/**
 * Versions until 0.1 exported folders of the disk that the state folder lies on, all of which nodes could read by handles that they
 * made up (decision 0047). Volumes and /persist get file systems of their own; nodes that run are told to boot again by a migration of the database.
 * Throws UserError UNAVAILABLE when the disk has no room for a copy; all is as before then, but nothing is exported.
 */
export async function upgradeState({ paths, persistSize, stopNfs, say }: Upgrade): Promise<void> {
  const folders = await oldPersistFolders(paths);
  const volumes = await hasOldVolumes(paths);
  if (folders.length === 0 && !volumes) return;
  await stopNfs();
  say('Moving what nodes read and write to file systems of its own. Nodes that run boot again afterwards.');
  if (volumes) await moveVolumes(paths, say);
  await removeOldTrees(paths);
  for (const folder of folders) await movePersist(folder, { paths, persistSize, say });
}
