/** Verified copies of the database, in a folder beside it: taken after changes, thinned out with age. */
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { hasErrno } from '../errors.ts';
import { namesIn, publishFile } from '../files.ts';
import type { Log } from '../logs/index.ts';
import type { Paths } from '../paths.ts';
import { faults } from './database.ts';
import { explained } from './database-errors.ts';
import { keepSparePages } from './spare-room.ts';

/** Milliseconds between two looks whether something has changed. */
const LOOK = 5_000;
/** Milliseconds between two copies, and after a failed one. */
const PAUSE = 30_000;
const FAILED_PAUSE = 300_000;
/** Milliseconds between two tries while a transaction keeps a copy from beginning, and for all of them. */
const BUSY_PAUSE = 10;
const BUSY_LIMIT = 10_000;

/** Which copies stay: the newest, and the last one of each of so many hours and days. */
const NEWEST = 5;
const HOURS = 24;
const DAYS = 14;

const NAME = /^walt-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z\.db$/;

export interface DatabaseCopy {
  name: string;
  path: string;
  /** Unix time in seconds. */
  at: number;
  /** Bytes. */
  size: number;
}

/** The copies that are there, newest first. */
export async function listCopies(paths: Pick<Paths, 'databaseCopies'>): Promise<DatabaseCopy[]> {
  const copies: DatabaseCopy[] = [];
  for (const name of await namesIn(paths.databaseCopies)) {
    const at = timeOf(name);
    if (at === undefined) continue;
    const path = join(paths.databaseCopies, name);
    copies.push({ name, path, at, size: (await stat(path)).size });
  }
  return copies.sort((a, b) => b.at - a.at);
}

/** Pure. Those of these times (Unix, seconds) that are kept at `now`. */
export function keptCopies(times: readonly number[], now: number): Set<number> {
  const sorted = [...times].sort((a, b) => b - a);
  const kept = new Set(sorted.slice(0, NEWEST));
  for (const [length, count] of [
    [3600, HOURS],
    [86_400, DAYS],
  ] as const) {
    const seen = new Set<number>();
    for (const time of sorted) {
      const period = Math.floor(time / length);
      if (seen.has(period) || now - time > length * count) continue;
      seen.add(period);
      kept.add(time);
    }
  }
  return kept;
}

/** Takes copies of an open database until it is closed. */
export class DatabaseCopies {
  readonly #sqlite: DatabaseSync;
  readonly #folder: string;
  readonly #log: Log;
  /** What SQLite had counted when the last copy was taken: at first, something may have changed. */
  #copied: number | undefined;
  #next = 0;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  /** Of the last copy. */
  #failure: unknown;

  constructor(sqlite: DatabaseSync, paths: Pick<Paths, 'databaseCopies'>, log: Log) {
    this.#sqlite = sqlite;
    this.#folder = paths.databaseCopies;
    this.#log = log;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK);
    this.#timer.unref();
  }

  /** Takes a last copy when something has changed since the one before. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
    this.#next = 0;
    this.#look();
    await this.#running;
  }

  /** Takes one now, or answers the newest when nothing has changed since. */
  async now(): Promise<DatabaseCopy> {
    await this.#running;
    await this.#begin();
    const [newest] = await listCopies({ databaseCopies: this.#folder });
    if (!newest || this.#failure) throw this.#failure ?? new Error('there is no copy of the database');
    return newest;
  }

  #look(): void {
    if (this.#running || Date.now() < this.#next || this.#changes() === this.#copied) return;
    void this.#begin();
  }

  #begin(): Promise<void> {
    this.#running ??= this.#copy().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #copy(): Promise<void> {
    try {
      keepSparePages(this.#sqlite);
      const changes = this.#changes();
      await copyDatabase(this.#sqlite, this.#folder);
      this.#failure = undefined;
      this.#copied = changes;
      this.#next = Date.now() + PAUSE;
    } catch (error) {
      this.#failure = error;
      this.#next = Date.now() + FAILED_PAUSE;
      this.#log.warn('cannot copy the database', { folder: this.#folder, reason: String(error) });
    }
  }

  /** Rows that this connection, the only one, has changed since it was opened. */
  #changes(): number {
    return Number(this.#sqlite.prepare('SELECT total_changes() AS count').get()?.count);
  }
}

/**
 * Copies a database into `folder` and removes copies that are not kept; nothing when it is as the newest copy. Under its name, a
 * copy is whole and sound. The database may change meanwhile. `patience`: milliseconds for a transaction that is open now to end.
 */
export async function copyDatabase(
  sqlite: DatabaseSync,
  folder: string,
  patience = BUSY_LIMIT,
): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await removeParts(folder);
  const temporary = join(folder, 'copy.tmp');
  closeSync(openSync(temporary, 'wx', 0o600));
  try {
    await copyPages(sqlite, temporary, patience);
    verify(temporary);
    const [newest] = await listCopies({ databaseCopies: folder });
    if (!newest || !(await readFile(newest.path)).equals(await readFile(temporary))) {
      // Never the name of another copy, whatever the clock says.
      const at = Math.max(Math.floor(Date.now() / 1000), (newest?.at ?? 0) + 1);
      await publishFile(temporary, join(folder, nameFor(at)));
    }
  } finally {
    await removeParts(folder);
  }
  const copies = await listCopies({ databaseCopies: folder });
  const kept = keptCopies(
    copies.map(({ at }) => at),
    Date.now() / 1000,
  );
  for (const { at, path } of copies) if (!kept.has(at)) await rm(path, { force: true });
}

/**
 * SQLite begins no copy while this connection is in a transaction that writes (SQLITE_BUSY). node:sqlite takes that for a failure, and
 * tells what the connection to the copy says of its last one: "not an error".
 */
async function copyPages(sqlite: DatabaseSync, path: string, patience: number): Promise<void> {
  const limit = Date.now() + patience;
  for (;;) {
    try {
      await backup(sqlite, path);
      return;
    } catch (error) {
      if (!(error instanceof Error && 'errcode' in error && error.errcode === 0)) throw error;
      if (Date.now() > limit) throw new Error(`a transaction has not ended for ${patience / 1000} s`);
    }
    await delay(BUSY_PAUSE);
  }
}

/** Copies an open database into the new file `to`, as it is at one moment. It may change meanwhile. Throws when the copy is not sound. */
export async function copyOpenDatabase(sqlite: DatabaseSync, to: string): Promise<void> {
  closeSync(openSync(to, 'wx', 0o600));
  await copyPages(sqlite, to, BUSY_LIMIT);
  verify(to);
}

/** Makes a copy that needs no other file beside it, and throws when it is not sound. */
function verify(path: string): void {
  const copy = new DatabaseSync(path);
  try {
    // Flushed by who publishes it: here, it would keep the server.
    copy.exec('PRAGMA synchronous = OFF; PRAGMA journal_mode = DELETE');
    const [fault] = faults(copy, 'integrity_check');
    if (fault !== undefined) throw new Error(`the copy is not sound: ${fault}`);
  } finally {
    copy.close();
  }
}

/** What a killed server left of a copy, SQLite's files beside it included. */
async function removeParts(folder: string): Promise<void> {
  for (const name of await namesIn(folder)) {
    if (name.startsWith('copy.tmp')) await rm(join(folder, name), { force: true });
  }
}

function nameFor(time: number): string {
  return `walt-${new Date(time * 1000).toISOString().replace(/\.\d+|[-:]/g, '')}.db`;
}

function timeOf(name: string): number | undefined {
  const [, ...parts] = NAME.exec(name) ?? [];
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.map(Number);
  return parts.length === 0 ? undefined : Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
}

/** Copies a database that no server works with into the new file `to`. Throws when the copy is not sound. */
export async function copyClosedDatabase(from: string, to: string): Promise<void> {
  closeSync(openSync(to, 'wx', 0o600));
  try {
    using sqlite = new DatabaseSync(from, { timeout: 2000 });
    await backup(sqlite, to);
    verify(to);
  } catch (error) {
    throw explained(error, from);
  }
}

/** The database as a whole and sound file, opened to be read only. Undefined when it is none. */
export function openCopy(path: string): DatabaseSync | undefined {
  let copy: DatabaseSync | undefined;
  try {
    copy = new DatabaseSync(path, { readOnly: true });
    if (faults(copy, 'integrity_check').length === 0) return copy;
  } catch (error) {
    if (!(error instanceof Error && 'errcode' in error) && !hasErrno(error, 'ENOENT')) throw error;
  }
  copy?.close();
  return undefined;
}
