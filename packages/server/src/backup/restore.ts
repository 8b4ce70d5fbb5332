/** `walt-server restore FOLDER`: a platform out of a backup, onto a machine that has none. */
import { copyFile, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { digestHex } from '@walt/contract';
import * as z from 'zod';
import { ImageArchive } from '../images/index.ts';
import {
  answers,
  type Config,
  closeFolders,
  configFile,
  fileExists,
  namesIn,
  type Paths,
  platformPaths,
  publishFile,
  readConfig,
  readIfPresent,
  restoreDatabase,
  syncFolder,
  type TableSet,
  UserError,
  unknownMigrations,
  withFreeFileLock,
  writeFileAtomic,
} from '../platform/index.ts';
import { BackupFolder } from './backup-folder.ts';
import { joinPieces, piecesOf } from './disk-pieces.ts';
import {
  countsOf,
  type Generation,
  generationName,
  type SavedDisk,
  type SavedImage,
  torn,
} from './generation.ts';
import type { Told } from './progress.ts';
import { placeOf } from './state-files.ts';

export interface RestoreResult {
  name: string;
  state: string;
  images: number;
  /** File systems of /persist. */
  disks: number;
  /** Of virtual nodes. */
  nodeDisks: number;
  /** Whether it has lines of logs. */
  lines: boolean;
  /** Files of the machine, as server.conf, that were there already and stay as they are. */
  kept: string[];
  /** Digests of images that the backup lacks. */
  missing: string[];
}

interface Task {
  folder: string;
  /** Default: the newest. */
  name?: string | undefined;
  tables: TableSet<never>;
  /** Makes what nodes need to boot the images of the state folder. */
  makeBootable(config: Config): Promise<void>;
}

/**
 * All that the backup has is compared with its digests before anything is written. Killed at any point, it can be repeated, and goes on.
 * Throws UserError: INVALID for a backup that is torn, foreign or newer; CONFLICT for a machine with a platform.
 */
export async function restoreBackup(given: Config, task: Task, told: Told): Promise<RestoreResult> {
  const from = await BackupFolder.open(resolve(task.folder));
  const name = task.name ?? (await from.names()).at(-1);
  if (name === undefined) throw noneYet(from.folder);
  const generation = await from.read(name);
  const config = await configOf(given, generation, from);
  const paths = platformPaths(config);
  const target = { folder: from.folder, name };
  await requireEmpty(paths, target);
  await verify(from, generation, told);
  requireKnown(from.blobs.path(generation.database.digest), name, task.tables);
  await closeFolders(paths);
  await mkdir(paths.backupWork, { recursive: true, mode: 0o700 });
  let result: RestoreResult | undefined;
  const free = await withFreeFileLock(join(paths.backupWork, 'lock'), async () => {
    await requireEmpty(paths, target);
    await writeFileAtomic(paths.restoring, `${JSON.stringify(target)}\n`, 0o600);
    const kept = await bringFiles(from, generation, paths);
    await bringImages(from, generation, paths, told);
    await bringDisks(from, generation, paths, told);
    await bringDatabase(from, generation, paths, task.tables);
    told.say('Making what nodes need to boot the images …');
    await task.makeBootable(config);
    await rm(paths.restoring);
    await syncFolder(paths.state);
    const { images, missing } = generation;
    result = { name, state: paths.state, images: images.length, ...countsOf(generation), kept, missing };
  });
  if (!free || !result) {
    throw new UserError('CONFLICT', 'A backup is being brought back just now.', 'Wait until that has ended.');
  }
  return result;
}

const begun = z.object({ folder: z.string(), name: z.string() });

/** Throws UserError CONFLICT while a backup is brought back, or that was broken off. */
export async function requireRestored({ restoring, state }: Paths): Promise<void> {
  const text = await readIfPresent(restoring);
  if (text === undefined) return;
  const { folder, name } = begun.parse(JSON.parse(text));
  throw new UserError(
    'CONFLICT',
    `The backup ${name} was being brought back into ${state}, and that has not ended.`,
    `Go on with it: walt-server restore ${folder} --from ${name}`,
  );
}

/** That of the machine; where it has none, that of the backup. */
async function configOf(given: Config, { files }: Generation, from: BackupFolder): Promise<Config> {
  if (given.file !== null) return given;
  const path = configFile();
  const saved = files.find((file) => file.in === 'machine' && placeOf(file, '/') === path);
  return saved ? readConfig(await readFile(from.blobs.path(saved.digest), 'utf8'), path) : given;
}

/** What may lie in a state folder that has nothing yet: of its disk, of a start that was refused, of this very restoration. */
const HARMLESS = ['lost+found', 'logs', 'backup-work', 'reserve'];

async function requireEmpty(paths: Paths, task: { folder: string; name: string }): Promise<void> {
  if ((await answers({ path: paths.socket })) || (await answers({ path: paths.rootSocket }))) {
    throw new UserError(
      'CONFLICT',
      'A platform runs on this machine.',
      'Bring it back on a machine that has none, or with a configuration of its own: walt-server --config FILE …',
    );
  }
  const text = await readIfPresent(paths.restoring);
  if (text !== undefined) {
    const before = begun.parse(JSON.parse(text));
    if (before.name === task.name) return;
    await requireRestored(paths);
  }
  const found = (await namesIn(paths.state)).filter((name) => !HARMLESS.includes(name));
  if (found.length === 0) return;
  throw new UserError(
    'CONFLICT',
    `${paths.state} is not empty: it has ${found.slice(0, 3).join(', ')}${found.length > 3 ? ' and more' : ''}.`,
    'Move it away, or delete that platform: walt-server cleanup --delete-data',
  );
}

async function verify(from: BackupFolder, generation: Generation, told: Told): Promise<void> {
  const name = generationName(generation.at);
  const contents = await from.contents(generation);
  const total = contents.reduce((sum, { size }) => sum + size, 0);
  const step = told.step('Comparing the backup with its digests');
  let done = 0;
  for (const blob of contents) {
    const fault = await from.blobs.fault(blob, (bytes) => {
      done += bytes;
      step(done, total);
    });
    if (fault) throw torn(name, `the content ${blob.digest} ${fault}`);
  }
}

function requireKnown(database: string, name: string, tables: TableSet<never>): void {
  const unknown = unknownMigrations(database, tables);
  if (unknown.length === 0) return;
  throw new UserError(
    'INVALID',
    `The backup ${name} was written by a newer WalT: its database knows ${unknown.join(', ')}.`,
    'Use a WalT that is at least as new.',
  );
}

/** Answers files of the machine that were there and differ. */
async function bringFiles(from: BackupFolder, { files }: Generation, paths: Paths): Promise<string[]> {
  const kept: string[] = [];
  for (const file of files) {
    const path = placeOf(file, paths.state);
    const content = await readFile(from.blobs.path(file.digest));
    if (file.in === 'machine' && (await fileExists(path))) {
      if (!(await readFile(path)).equals(content)) kept.push(path);
      continue;
    }
    await mkdir(dirname(path), { recursive: true, mode: file.in === 'state' ? 0o700 : 0o755 });
    await writeFileAtomic(path, content, file.mode);
  }
  return kept;
}

async function bringImages(
  from: BackupFolder,
  { images }: Generation,
  paths: Paths,
  told: Told,
): Promise<void> {
  const archive = await ImageArchive.alone(paths);
  for (const [index, image] of images.entries()) {
    told.step(`Image ${index + 1} of ${images.length}`)(
      0,
      image.layers.reduce((sum, { size }) => sum + size, 0),
    );
    if (!(await archive.has(image.configuration.digest))) await bringImage(from, image, archive, paths);
  }
}

async function bringImage(
  from: BackupFolder,
  image: SavedImage,
  archive: ImageArchive,
  paths: Paths,
): Promise<void> {
  const { configuration, manifest, layers } = image;
  const folder = join(paths.backupWork, 'now');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o700 });
  try {
    for (const { digest } of [configuration, ...layers]) {
      await symlink(from.blobs.path(digest), join(folder, digestHex(digest))).catch(ignoreTwice);
    }
    await copyFile(from.blobs.path(manifest.digest), join(folder, 'manifest.json'));
    await writeFile(join(folder, 'version'), 'Directory Transport Version: 1.1\n');
    await archive.bring(configuration.digest, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** An image may have the same layer twice. */
function ignoreTwice(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

async function bringDisks(
  from: BackupFolder,
  { disks }: Generation,
  paths: Paths,
  told: Told,
): Promise<void> {
  for (const [index, disk] of disks.entries()) {
    told.step(`Disk ${index + 1} of ${disks.length}`)(0, disk.size);
    await bringDisk(from, disk, paths);
  }
}

async function bringDisk(from: BackupFolder, { path, size, pieces }: SavedDisk, paths: Paths): Promise<void> {
  const place = join(paths.state, ...path);
  if (await fileExists(place)) return;
  await mkdir(dirname(place), { recursive: true, mode: 0o700 });
  const temporary = `${place}.restoring`;
  await rm(temporary, { force: true });
  await joinPieces(temporary, size, await piecesOf(from.blobs.path(pieces.digest)), from.blobs);
  await rename(temporary, place);
  await syncFolder(dirname(place));
}

async function bringDatabase(
  from: BackupFolder,
  { at, database }: Generation,
  paths: Paths,
  tables: TableSet<never>,
): Promise<void> {
  // It gets its name as a whole.
  if (await fileExists(paths.database)) return;
  await mkdir(paths.databaseCopies, { recursive: true, mode: 0o700 });
  const name = `walt-${generationName(at)}.db`;
  const temporary = join(paths.databaseCopies, 'copy.tmp');
  await copyFile(from.blobs.path(database.digest), temporary);
  await publishFile(temporary, join(paths.databaseCopies, name));
  await restoreDatabase(paths, tables, name);
}

function noneYet(folder: string): UserError {
  return new UserError(
    'NOT_FOUND',
    `There is no whole backup in ${folder}: the first one was broken off.`,
    'Write one: walt-server backup FOLDER',
  );
}
