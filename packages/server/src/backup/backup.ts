/** `walt-server backup`: what a platform is, into a folder, while it runs. */
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import packageFile from '../../../../package.json' with { type: 'json' };
import {
  type Config,
  DiskFull,
  hasErrno,
  type Paths,
  platformPaths,
  RoomGuard,
  readIfPresent,
  UserError,
  withFreeFileLock,
} from '../platform/index.ts';
import { BackupFolder } from './backup-folder.ts';
import type { Blobs } from './blobs.ts';
import { type CopyPlaces, findDisks, saveDisk } from './disks.ts';
import { describeGeneration, generationName, type SavedFile } from './generation.ts';
import { saveLogLines } from './log-lines.ts';
import { saveMachineDisks } from './machine-disks.ts';
import { theMoment } from './moment.ts';
import type { Told } from './progress.ts';
import { saveImages } from './save-images.ts';
import { findStateFiles, isGone } from './state-files.ts';

export interface BackupResult {
  name: string;
  folder: string;
  images: number;
  /** File systems of /persist. */
  disks: number;
  /** Disks of virtual nodes. */
  nodeDisks: number;
  /** Whether lines of logs are in it: those in PostgreSQL are not. */
  lines: boolean;
  /** Bytes that the folder did not have before. */
  added: number;
  seconds: number;
  /** Digests of images that the store does not have whole, and /persist that were damaged: the backup lacks them, or has them so. */
  missing: string[];
  damaged: string[];
  /** Older backups that were removed. */
  removed: string[];
}

export interface BackupOptions {
  /** So many of the newest backups stay; undefined: all. */
  keep?: number | undefined;
}

/** Throws UserError. What a killed one has copied, the next one finds. */
export async function backUp(
  config: Config,
  target: string,
  { keep }: BackupOptions,
  told: Told,
): Promise<BackupResult> {
  const paths = platformPaths(config);
  const folder = resolve(target);
  const platform = (await readIfPresent(paths.identity))?.trim();
  if (platform === undefined) throw noPlatform(paths);
  requireApart(folder, paths);
  let result: BackupResult | undefined;
  await mkdir(paths.backupWork, { recursive: true, mode: 0o700 });
  const free = await withFreeFileLock(join(paths.backupWork, 'lock'), () =>
    BackupFolder.write(folder, platform, async (to) => {
      result = await save(config, to, keep, told);
    }),
  ).catch((error: unknown) => {
    const isFull = error instanceof DiskFull || hasErrno(error, 'ENOSPC', 'EDQUOT');
    throw isFull ? diskFull(folder, paths.state) : error;
  });
  if (!free || !result) {
    throw new UserError('CONFLICT', 'Another backup of this platform runs.', 'Wait until it has ended.');
  }
  return result;
}

async function save(
  config: Config,
  to: BackupFolder,
  keep: number | undefined,
  told: Told,
): Promise<BackupResult> {
  const begun = performance.now();
  const paths = platformPaths(config);
  const work = join(paths.backupWork, 'now');
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { mode: 0o700 });
  const before = await to.newest();
  const at = await to.timeFor(Math.floor(Date.now() / 1000));
  try {
    await using moment = await theMoment(config, work);
    const { blobs } = to;
    // What the platform keeps for itself is not for copies of it.
    const { dev } = await stat(paths.state);
    if ((await stat(to.folder)).dev === dev)
      blobs.keepRoom(new RoomGuard(paths.state, config.limits.reservedSpace));
    const database = await blobs.putFile(moment.database);
    const files = await saveFiles(config, blobs);
    const { images, missing } = await saveImages(paths, moment.images, { blobs, before, told });
    const reserved = config.limits.reservedSpace;
    const places = { blobs, work, reserved, spare: join(to.folder, 'incoming') };
    const saved = await saveDisks(paths, places, told);
    const ofNodes = await saveMachineDisks(paths, places, (title) => told.step(title));
    const lines = await saveLogLines(paths, places, told.step('Lines of logs'));
    moment.requireHeld();
    const about = { walt: packageFile.version, platform: to.platform, at };
    const persist = saved.map(({ path, size, pieces }) => ({ path, size, pieces }));
    const disks = [...persist, ...ofNodes, ...(lines ? [lines] : [])];
    await to.add(describeGeneration({ ...about, database, files, images, disks, missing }));
    const removed = keep === undefined ? [] : await to.keepNewest(keep);
    return {
      ...{ name: generationName(at), folder: to.folder, images: images.length, disks: persist.length },
      ...{ nodeDisks: ofNodes.length, lines: lines !== undefined },
      ...{
        added: blobs.added,
        seconds: Math.round((performance.now() - begun) / 100) / 10,
        missing,
        removed,
      },
      damaged: saved.filter(({ damaged }) => damaged).map(({ path }) => path.join('/')),
    };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function saveFiles(config: Config, blobs: Blobs): Promise<SavedFile[]> {
  const saved: SavedFile[] = [];
  for (const { from, ...file } of await findStateFiles(config)) {
    try {
      saved.push({ ...file, ...(await blobs.putBytes(await readFile(from))) });
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  return saved;
}

async function saveDisks(paths: Paths, to: CopyPlaces, told: Told) {
  const found = await findDisks(paths);
  const saved: NonNullable<Awaited<ReturnType<typeof saveDisk>>>[] = [];
  for (const [index, disk] of found.entries()) {
    const step = told.step(`/persist ${index + 1} of ${found.length}`);
    const one = await saveDisk(disk, to, step);
    if (one) saved.push(one);
    if (one?.damaged) told.say(`${disk.from} is damaged: it is saved as it is.`);
  }
  return saved;
}

function noPlatform({ state }: Paths): UserError {
  return new UserError(
    'NOT_FOUND',
    `There is no platform in ${state} yet.`,
    'Start it first: walt-server start. With another configuration: walt-server --config FILE backup …',
  );
}

function diskFull(folder: string, state: string): UserError {
  return new UserError(
    'UNAVAILABLE',
    `A disk is full, that of ${folder} or that of ${state}. The older backups are as they were.`,
    'Make room on it, then repeat: what is copied already is not copied again. --keep NUMBER removes older backups.',
  );
}

function requireApart(folder: string, { state }: Paths): void {
  const inside = (inner: string, outer: string) => !/^\.\.(?:\/|$)/.test(relative(outer, inner));
  if (!inside(folder, state) && !inside(state, folder)) return;
  throw new UserError(
    'INVALID',
    `${folder} and the platform's own folder ${state} lie in each other.`,
    'Name a folder elsewhere, best on another disk.',
  );
}
