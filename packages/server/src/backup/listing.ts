import { resolve } from 'node:path';
import { isUserError } from '../platform/index.ts';
import { BackupFolder } from './backup-folder.ts';
import { countsOf } from './generation.ts';
import type { Told } from './progress.ts';

export interface ListedBackup {
  name: string;
  /** Unix time in seconds; the rest is missing where the list is torn or newer. */
  at?: number;
  walt?: string;
  images?: number;
  /** File systems of /persist. */
  disks?: number;
  /** Of virtual nodes. */
  nodeDisks?: number;
  /** Whether it has lines of logs. */
  lines?: boolean;
  /** Bytes of all that it has, also where others share it. */
  size?: number;
  /** Why it cannot be used. */
  fault?: string;
}

/** Newest first. Throws UserError for what is no folder of backups. */
export async function listBackups(folder: string): Promise<ListedBackup[]> {
  const from = await BackupFolder.open(resolve(folder));
  return Promise.all(
    (await from.names()).reverse().map(async (name) => {
      try {
        const generation = await from.read(name);
        const { at, walt, images } = generation;
        const size = (await from.contents(generation)).reduce((sum, blob) => sum + blob.size, 0);
        return { name, at, walt, images: images.length, ...countsOf(generation), size };
      } catch (error) {
        return { name, fault: reason(error) };
      }
    }),
  );
}

export interface VerifiedBackup {
  name: string;
  /** Contents that it has. */
  contents: number;
  faults: string[];
}

/** Reads all of them and compares digests. Newest first. */
export async function verifyBackups(folder: string, told: Told): Promise<VerifiedBackup[]> {
  const from = await BackupFolder.open(resolve(folder));
  /** What was found out of a content; several backups share it. */
  const known = new Map<string, Promise<string | undefined>>();
  const results: VerifiedBackup[] = [];
  for (const name of (await from.names()).reverse()) {
    try {
      const contents = await from.contents(await from.read(name));
      const step = told.step(`Backup ${name}`);
      const total = contents.reduce((sum, { size }) => sum + size, 0);
      const faults: string[] = [];
      let done = 0;
      for (const blob of contents) {
        const looking = known.get(blob.digest) ?? from.blobs.fault(blob);
        known.set(blob.digest, looking);
        const fault = await looking;
        if (fault) faults.push(`${blob.digest} ${fault}`);
        done += blob.size;
        step(done, total);
      }
      results.push({ name, contents: contents.length, faults });
    } catch (error) {
      if (!isUserError(error)) throw error;
      results.push({ name, contents: 0, faults: [reason(error)] });
    }
  }
  return results;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
