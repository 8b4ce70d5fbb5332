import { rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Logs } from '../logs/index.ts';
import { answers, copyClosedDatabase, createLog, fileExists, type Paths } from '../platform/index.ts';
import { savePieces } from './disk-pieces.ts';
import { type CopyPlaces, chooseFolder } from './disks.ts';
import type { SavedDisk } from './generation.ts';

/**
 * Saves the lines of logs that lie in the state folder, those of one moment: the program that keeps them copies them. Undefined: there
 * are none, since they are in PostgreSQL.
 */
export async function saveLogLines(
  paths: Paths,
  places: CopyPlaces,
  onBytes: (done: number) => void,
): Promise<SavedDisk | undefined> {
  const { logDatabase } = paths;
  if (!(await fileExists(logDatabase))) return undefined;
  const copy = join(await chooseFolder(places, (await stat(logDatabase)).size), 'lines.db');
  await rm(copy, { force: true });
  try {
    const runs = await answers({ path: paths.logSocket });
    const copied = runs && (await new Logs(paths, createLog('backup')).copy(copy));
    // A file that had them before they went to PostgreSQL is nobody's now.
    if (!copied) await copyClosedDatabase(logDatabase, copy);
    const { size } = await stat(copy);
    return { path: [basename(logDatabase)], size, pieces: await savePieces(copy, places.blobs, onBytes) };
  } finally {
    await rm(copy, { force: true });
  }
}
