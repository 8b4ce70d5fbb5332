/** `walt-server backup`: what a platform is, into a folder, while it runs. */
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import packageFile from '../../../../package.json' with { type: 'json' };
import { ImageArchive, imageDigestsIn } from '../images/index.ts';
import {
  answers,
  askServer,
  type Config,
  copyClosedDatabase,
  DiskFull,
  hasErrno,
  isExternalError,
  isUserError,
  openCopy,
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
import {
  type Blob,
  describeGeneration,
  type Generation,
  generationName,
  type SavedFile,
  type SavedImage,
} from './generation.ts';
import { saveLogLines } from './log-lines.ts';
import { saveMachineDisks } from './machine-disks.ts';
import type { Told } from './progress.ts';
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

interface Moment extends AsyncDisposable {
  /** A copy of the database of that moment. */
  database: string;
  /** Digests of the images that it names; while a server runs, none of them is removed. */
  images: string[];
  /** Throws UserError UNAVAILABLE when the server ended meanwhile, and with it the promise to keep them. */
  requireHeld(): void;
}

/** The database as it is now, and its images kept until the moment is disposed of. */
async function theMoment(config: Config, work: string): Promise<Moment> {
  const paths = platformPaths(config);
  if (!(await answers({ path: paths.rootSocket }))) {
    if (await answers({ path: paths.socket })) throw olderServer();
    const database = join(work, 'walt.db');
    await copyClosedDatabase(paths.database, database);
    return { database, images: digestsIn(database), requireHeld() {}, async [Symbol.asyncDispose]() {} };
  }
  const letGo = new AbortController();
  const held = askServer(paths.rootSocket, 'hold', letGo.signal);
  const { value } = await held.next();
  const { copy: database } = value as { copy: string };
  let failure: unknown;
  // It says nothing more before it ends.
  const end = held.next().then(
    () => {},
    (error: unknown) => {
      failure = error;
    },
  );
  return {
    database,
    images: digestsIn(database),
    requireHeld() {
      if (failure) throw failure;
    },
    async [Symbol.asyncDispose]() {
      letGo.abort();
      await end;
    },
  };
}

function digestsIn(file: string): string[] {
  using copy: DatabaseSync | undefined = openCopy(file);
  if (!copy) throw new Error(`the copy ${file} of the database is not sound`);
  return imageDigestsIn(copy);
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

async function saveImages(
  paths: Paths,
  digests: readonly string[],
  { blobs, before, told }: { blobs: Blobs; before: Generation | undefined; told: Told },
): Promise<{ images: SavedImage[]; missing: string[] }> {
  const archive = ImageArchive.beside(paths);
  const known = new Map(before?.images.map((image) => [image.configuration.digest, image]));
  const images: SavedImage[] = [];
  const missing: string[] = [];
  for (const [index, digest] of digests.entries()) {
    const earlier = known.get(digest);
    const title = `Image ${index + 1} of ${digests.length}`;
    try {
      images.push(
        earlier && (await isThere(earlier, blobs))
          ? earlier
          : await saveImage(archive, digest, blobs, told.step(title)),
      );
    } catch (error) {
      // Others are worth having all the same.
      if (!isTorn(error)) throw error;
      missing.push(digest);
      told.say(`${title} (${digest}) cannot be saved: ${error instanceof Error ? error.message : error}`);
    }
  }
  return { images, missing };
}

async function isThere({ configuration, manifest, layers }: SavedImage, blobs: Blobs): Promise<boolean> {
  for (const blob of [configuration, manifest, ...layers]) if (!(await blobs.has(blob))) return false;
  return true;
}

async function saveImage(
  archive: ImageArchive,
  digest: string,
  blobs: Blobs,
  step: (done: number, total?: number) => void,
): Promise<SavedImage> {
  const { configuration, manifest, layers } = await archive.describe(digest);
  const total = layers.reduce((sum, { size }) => sum + size, 0);
  const saved: Blob[] = [];
  let done = 0;
  for (const layer of layers) {
    const blob = (await blobs.has(layer))
      ? layer
      : await blobs.put(await archive.layer(layer.digest), (bytes) => step(done + bytes, total));
    if (blob.digest !== layer.digest) throw new TornLayer(layer.digest);
    saved.push(blob);
    done += layer.size;
  }
  return {
    configuration: await blobs.putBytes(Buffer.from(configuration)),
    manifest: await blobs.putBytes(Buffer.from(manifest(saved))),
    layers: saved,
  };
}

class TornLayer extends Error {
  constructor(diffId: string) {
    super(`its layer ${diffId} has other files than it came with`);
  }
}

/** True where the store is to blame, and only for this image. */
function isTorn(error: unknown): boolean {
  return error instanceof TornLayer || isExternalError(error) || isUserError(error) || isGone(error);
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

function olderServer(): UserError {
  return new UserError(
    'UNAVAILABLE',
    'The server that runs is of an older version, which knows no backups.',
    'Start a new one, nodes go on: walt-server restart',
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
