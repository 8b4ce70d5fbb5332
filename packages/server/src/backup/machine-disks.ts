import { mkdir, rm, stat } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { machineDisks } from '../nodes/index.ts';
import {
  attempt,
  ExternalError,
  fileExists,
  findProgram,
  type Paths,
  projectFile,
} from '../platform/index.ts';
import { savePieces } from './disk-pieces.ts';
import { bytesOnDisk, type CopyPlaces, chooseFolder } from './disks.ts';
import type { SavedDisk } from './generation.ts';

/**
 * Saves the disks of all virtual nodes, those of one node as they are at one moment: it stands still while they are copied. What is
 * removed meanwhile is left out.
 */
export async function saveMachineDisks(
  paths: Paths,
  places: CopyPlaces,
  stepOf: (title: string) => (done: number, total?: number) => void,
): Promise<SavedDisk[]> {
  const machines = await machineDisks(paths);
  const saved: SavedDisk[] = [];
  for (const [index, { program, files }] of machines.entries()) {
    const step = stepOf(`Disks of virtual nodes ${index + 1} of ${machines.length}`);
    const bytes = await bytesOnDisk(files);
    if (bytes === undefined) continue;
    const folder = join(await chooseFolder(places, bytes), 'machine');
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { mode: 0o700 });
    try {
      if (!(await copyDisks((await findProgram(paths, program))?.pid, folder, files))) continue;
      for (const file of files) {
        const copy = join(folder, basename(file));
        const { size } = await stat(copy);
        const pieces = await savePieces(copy, places.blobs, step);
        saved.push({ path: relative(paths.state, file).split(sep), size, pieces });
        await rm(copy);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  return saved;
}

/** False: one was removed meanwhile. */
async function copyDisks(
  pid: number | undefined,
  folder: string,
  files: readonly string[],
): Promise<boolean> {
  const script = projectFile('packages/server/src/backup/copy-machine-disks.sh');
  const argv = [script, String(pid ?? 0), folder, ...files];
  const { status, stderr } = await attempt(argv, { deathSignal: 'TERM' });
  if (status === 0) return true;
  for (const file of files) if (!(await fileExists(file))) return false;
  throw new ExternalError(argv, status, stderr);
}
