import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  fileExists,
  namesIn,
  readIfPresent,
  UserError,
  withFreeFileLock,
  writeFileAtomic,
} from '../platform/index.ts';
import { Blobs } from './blobs.ts';
import { piecesOf } from './disk-pieces.ts';
import {
  blobsOf,
  type Generation,
  generationName,
  isGenerationName,
  noBackup,
  parseGeneration,
  parseMarker,
  renderGeneration,
  renderMarker,
  torn,
} from './generation.ts';

const MARKER = 'walt-backup.json';
/** What a disk brings along that was made for backups. */
const OF_DISKS = ['lost+found'];
/** Bytes of a list: some million contents. */
const MAX_LIST = 256 * 1024 * 1024;

/** A folder of backups of one platform, which share what is the same. */
export class BackupFolder {
  readonly folder: string;
  readonly blobs: Blobs;
  /** Number of the platform. */
  readonly platform: string;

  private constructor(folder: string, platform: string) {
    this.folder = folder;
    this.platform = platform;
    this.blobs = new Blobs(folder);
  }

  /** Throws UserError INVALID for a folder that is none, or that a newer WalT wrote. */
  static async open(folder: string): Promise<BackupFolder> {
    const text = await readIfPresent(join(folder, MARKER)).catch(() => undefined);
    if (text === undefined) throw noBackup(folder);
    return new BackupFolder(folder, parseMarker(text, folder));
  }

  /**
   * Calls `act` with the folder, made if it is not there, while no other backup is written into it. Throws UserError: CONFLICT while one
   * is, INVALID for a folder that has something else in it, or backups of another platform.
   */
  static async write(
    folder: string,
    platform: string,
    act: (to: BackupFolder) => Promise<void>,
  ): Promise<void> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const others = (await namesIn(folder)).filter((name) => !OF_DISKS.includes(name));
    if (others.length > 0 && !(await fileExists(join(folder, MARKER))) && !others.every(isOurs)) {
      throw new UserError(
        'INVALID',
        `${folder} has something in it that is no backup of WalT.`,
        'Name a folder of its own for the backups of this platform.',
      );
    }
    const free = await withFreeFileLock(join(folder, LOCK), async () => {
      if (!(await fileExists(join(folder, MARKER)))) {
        await writeFileAtomic(join(folder, MARKER), renderMarker(platform), 0o600);
      }
      const opened = await BackupFolder.open(folder);
      if (opened.platform !== platform) throw ofAnother(folder);
      await mkdir(opened.#list(), { recursive: true, mode: 0o700 });
      await opened.blobs.prepare();
      await act(opened);
    });
    if (!free) {
      throw new UserError(
        'CONFLICT',
        `Another backup is being written into ${folder}.`,
        'Wait until it has ended, or name another folder.',
      );
    }
  }

  /** Oldest first. */
  async names(): Promise<string[]> {
    return (await namesIn(this.#list()))
      .flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -'.json'.length)] : []))
      .filter(isGenerationName)
      .sort();
  }

  /** Throws UserError: NOT_FOUND, or INVALID for one that is torn, of another platform, or newer. */
  async read(name: string): Promise<Generation> {
    const text = isGenerationName(name) ? await readBounded(this.#list(`${name}.json`), name) : undefined;
    if (text === undefined) {
      throw new UserError(
        'NOT_FOUND',
        `There is no backup ${JSON.stringify(name)} in ${this.folder}.`,
        'See those that are there: walt-server restore FOLDER --list',
      );
    }
    const generation = parseGeneration(text, name);
    if (generation.platform !== this.platform) throw ofAnother(this.folder);
    return generation;
  }

  /** The newest one that can be read; undefined: there is none. */
  async newest(): Promise<Generation | undefined> {
    for (const name of (await this.names()).reverse()) {
      const found = await this.read(name).catch(() => undefined);
      if (found) return found;
    }
    return undefined;
  }

  /** A time for a new one, at or after `now` (Unix, seconds), whatever the clock said before. */
  async timeFor(now: number): Promise<number> {
    const names = new Set(await this.names());
    let at = now;
    while (names.has(generationName(at))) at += 1;
    return at;
  }

  /** Makes it known, once all that it names is on disk. */
  async add(generation: Generation): Promise<string> {
    await this.blobs.commit();
    const name = generationName(generation.at);
    await writeFileAtomic(this.#list(`${name}.json`), renderGeneration(generation), 0o600);
    return name;
  }

  /**
   * Removes all but the newest `count`, and contents that none of them has. Answers the names of those that went. Throws as `read`,
   * before anything is removed: what cannot be read may still need its contents.
   */
  async keepNewest(count: number): Promise<string[]> {
    const names = await this.names();
    const kept = names.slice(-count);
    const wanted = new Set<string>();
    for (const name of kept)
      for (const { digest } of await this.contents(await this.read(name))) wanted.add(digest);
    const gone = names.slice(0, -count);
    for (const name of gone) await rm(this.#list(`${name}.json`));
    await this.blobs.keepOnly(wanted);
    return gone;
  }

  /** All contents of a backup, pieces of disks included. Throws UserError INVALID when a list of pieces is torn. */
  async contents(generation: Generation): Promise<{ digest: string; size: number }[]> {
    const all = new Map(blobsOf(generation).map((blob) => [blob.digest, blob]));
    for (const disk of generation.disks) {
      const name = generationName(generation.at);
      const fault = await this.blobs.fault(disk.pieces);
      if (fault) throw torn(name, `the list of ${disk.path.join('/')} ${fault}`);
      for (const { blob } of await piecesOf(this.blobs.path(disk.pieces.digest))) all.set(blob.digest, blob);
    }
    return [...all.values()];
  }

  #list(...name: string[]): string {
    return join(this.folder, 'generations', ...name);
  }
}

const LOCK = 'lock';

/** What a first backup that was killed early may have left. */
function isOurs(name: string): boolean {
  return name === LOCK || /^walt-backup\.json\.[0-9a-f]{12}\.tmp$/.test(name);
}

async function readBounded(path: string, name: string): Promise<string | undefined> {
  if (!(await fileExists(path))) return undefined;
  await using file = await open(path, 'r');
  const { size } = await file.stat();
  if (size > MAX_LIST) throw torn(name, 'its list is too long');
  return file.readFile('utf8');
}

function ofAnother(folder: string): UserError {
  return new UserError(
    'CONFLICT',
    `${folder} has the backups of another platform.`,
    'Name a folder of its own for the backups of this platform.',
  );
}
