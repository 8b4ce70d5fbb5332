import { mkdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import {
  attempt,
  ExternalError,
  fileExists,
  namesIn,
  type Paths,
  projectFile,
  roomIn,
} from '../platform/index.ts';
import type { Blobs } from './blobs.ts';
import { savePieces } from './disk-pieces.ts';
import type { SavedDisk } from './generation.ts';
import { isGone } from './state-files.ts';

/** Paths below the state folder of all file systems of /persist, with their bytes on disk. */
export async function findDisks({ persist, state }: Pick<Paths, 'persist' | 'state'>): Promise<FoundDisk[]> {
  const found: FoundDisk[] = [];
  for (const owner of (await namesIn(persist)).sort()) {
    for (const name of (await namesIn(join(persist, owner))).sort()) {
      if (/^\d+\.img$/.test(name))
        found.push({ path: [basename(persist), owner, name], from: join(persist, owner, name) });
    }
  }
  return found.filter(({ from }) => from.startsWith(state));
}

export interface FoundDisk {
  path: string[];
  from: string;
}

/** Where copies of what is written meanwhile lie until they are in pieces. */
export interface CopyPlaces {
  blobs: Blobs;
  /** On the platform's own disk, where copying is fastest. */
  work: string;
  /** Bytes of that disk that stay free; undefined: see `diskOf`. */
  reserved: number | undefined;
  /** On that of the backup. */
  spare: string;
}

/** The folder in which so many bytes have room. */
export async function chooseFolder({ work, spare, reserved }: CopyPlaces, bytes: number): Promise<string> {
  return (await roomIn(work, reserved)) > bytes * 2 ? work : spare;
}

/** Bytes that files take; undefined: one was removed meanwhile. */
export async function bytesOnDisk(files: readonly string[]): Promise<number | undefined> {
  try {
    const all = await Promise.all(files.map((file) => stat(file)));
    return all.reduce((sum, { blocks }) => sum + blocks * 512, 0);
  } catch (error) {
    if (!isGone(error)) throw error;
    return undefined;
  }
}

/**
 * Saves a file system of /persist as it is at one moment. Who writes into it waits while it is copied to `work`, or where that has no
 * room for it, to `spare`. Undefined when it was removed meanwhile.
 */
export async function saveDisk(
  disk: FoundDisk,
  places: CopyPlaces,
  onBytes: (done: number) => void,
): Promise<(SavedDisk & { damaged: boolean }) | undefined> {
  const bytes = await bytesOnDisk([disk.from]);
  if (bytes === undefined) return undefined;
  const { blobs, work } = places;
  const folder = await chooseFolder(places, bytes);
  const copy = join(folder, 'disk.img');
  const point = join(work, 'mounted');
  await mkdir(point, { recursive: true, mode: 0o700 });
  await rm(copy, { force: true });
  try {
    const script = [projectFile('packages/server/src/backup/copy-disk.sh'), disk.from, point, copy];
    const argv = ['unshare', '--mount', '--propagation', 'private', '--', ...script];
    const { status, stderr } = await attempt(argv, { deathSignal: 'TERM' });
    if (status !== 0 && status !== 4) {
      if (!(await fileExists(disk.from))) return undefined;
      throw new ExternalError(script, status, stderr);
    }
    const { size } = await stat(copy);
    const pieces = await savePieces(copy, blobs, onBytes);
    return { path: disk.path, size, pieces, damaged: status === 4 };
  } finally {
    await rm(copy, { force: true });
  }
}
