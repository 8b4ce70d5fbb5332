/** `walt-server backup`, and `restore` of a backup: what is wired and printed of them. */
import {
  amount,
  type BackupResult,
  backUp,
  type ListedBackup,
  listBackups,
  restoreBackup,
  type Told,
  toldByLines,
  type VerifiedBackup,
  verifyBackups,
} from './backup/index.ts';
import { hasBootFiles, prepareBootFiles } from './boot/index.ts';
import { prepareAll } from './images/index.ts';
import { bootingNodes } from './nodes/index.ts';
import {
  type Config,
  closeDisks,
  openDatabase,
  openVolumesDisk,
  platformPaths,
  UserError,
} from './platform/index.ts';
import { localTime, type RestoreOptions } from './restore.ts';
import { serverTables } from './tables.ts';

export interface BackupCommand {
  keep?: string;
  verify?: boolean;
  json?: boolean;
}

export interface RestoreCommand extends RestoreOptions {
  from?: string;
}

type Say = (text: string) => void;

/** True for what `walt-server restore --list` shows of the copies of the database. */
export function isCopyName(text: string): boolean {
  return /^walt-\d{8}T\d{6}Z\.db$/.test(text);
}

/** Exit status 1: something is torn, or could not be saved. */
export async function backupInto(
  config: Config,
  { keep, verify, json }: BackupCommand,
  folder: string,
  say: Say,
): Promise<number> {
  const told = toldByLines(json ? complain : say);
  if (verify) {
    const results = await verifyBackups(folder, told);
    if (json) console.log(JSON.stringify(results));
    else say(results.map(verified).join('\n') || `There is no backup in ${folder} yet.`);
    return results.some(({ faults }) => faults.length > 0) ? 1 : 0;
  }
  const result = await backUp(config, folder, { keep: keep === undefined ? undefined : countOf(keep) }, told);
  if (json) console.log(JSON.stringify(result));
  else say(saved(result));
  return result.missing.length + result.damaged.length > 0 ? 1 : 0;
}

export async function restoreFrom(
  config: Config,
  options: RestoreCommand,
  folder: string,
  say: Say,
): Promise<void> {
  const { from: name, list, json } = options;
  if (list) {
    const backups = await listBackups(folder);
    if (json) console.log(JSON.stringify(backups));
    else say(backups.map(listed).join('\n') || `There is no backup in ${folder} yet.`);
    return;
  }
  const told = toldByLines(json ? complain : say);
  const makeBootable = (restored: Config) => prepareImages(restored, told);
  const result = await restoreBackup(config, { folder, name, tables: serverTables, makeBootable }, told);
  if (json) return console.log(JSON.stringify(result));
  say(`The backup ${result.name} is in ${result.state}: ${contents(result)}.`);
  for (const path of result.kept)
    say(`${path} was there already, differs from the backup's, and stays as it is.`);
  for (const digest of result.missing)
    say(`The backup lacks an image, which was broken when it was written: ${digest}`);
  say('Now: walt-server start');
}

/** What nodes need to boot the images that are there. */
async function prepareImages(config: Config, told: Told): Promise<void> {
  const paths = platformPaths(config);
  await openVolumesDisk(paths);
  const database = await openDatabase(paths.database, serverTables);
  const tell = (message: string, fields?: object) => told.say(`${message} ${JSON.stringify(fields ?? {})}`);
  try {
    await prepareAll({
      ...{ config, paths, database, nodes: bootingNodes },
      prepareBoot: (image) => prepareBootFiles(image, paths, config.limits),
      hasBootFiles: (digest) => hasBootFiles(digest, paths),
      report: (step, { done, total } = {}) => told.step(step)(done, total),
      log: { info() {}, warn: tell, error: tell },
    });
  } finally {
    await database.destroy();
    await closeDisks(paths);
  }
}

function countOf(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new UserError(
    'INVALID',
    `${JSON.stringify(text)} is no number of backups.`,
    'Say for example: --keep 7',
  );
}

function saved({
  name,
  folder,
  images,
  disks,
  nodeDisks,
  lines,
  added,
  seconds,
  missing,
  damaged,
  removed,
}: BackupResult): string {
  return [
    `The backup ${name} is in ${folder}: ${contents({ images, disks, nodeDisks })}; ${amount(added)} were new, in ${seconds} s.`,
    ...(lines ? [] : ['It has no lines of logs: PostgreSQL keeps them, and has backups of its own.']),
    ...damaged.map((disk) => `It has a /persist that is damaged: ${disk}`),
    ...missing.map((digest) => `It lacks an image that is broken: ${digest}`),
    ...(removed.length > 0 ? [`Removed: ${removed.join(', ')}`] : []),
  ].join('\n');
}

function contents({
  images,
  disks,
  nodeDisks,
}: Pick<BackupResult, 'images' | 'disks' | 'nodeDisks'>): string {
  return `${images} images, ${disks} /persist, ${nodeDisks} disks of virtual nodes`;
}

function listed({ name, at, walt, images = 0, disks = 0, nodeDisks = 0, size, fault }: ListedBackup): string {
  if (at === undefined) return `${name}  ${fault}`;
  return `${name}  ${localTime(at)}  ${amount(size ?? 0)}  ${contents({ images, disks, nodeDisks })}, WalT ${walt}`;
}

function verified({ name, contents, faults }: VerifiedBackup): string {
  if (faults.length === 0) return `${name}  whole: ${contents} contents`;
  return [`${name}  torn:`, ...faults.map((fault) => `  ${fault}`)].join('\n');
}

/** Beside data on standard output. */
function complain(line: string): void {
  process.stderr.write(`${line}\n`);
}
