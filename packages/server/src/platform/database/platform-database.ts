/**
 * The platform's database, which says what of the state folder is still needed: whatever it does not name is deleted. So no server
 * may start with one that is not this platform's own, or one that is younger than what lies there.
 */
import { chmod, copyFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { sql } from 'kysely';
import { hasErrno, UserError } from '../errors.ts';
import { namesIn, publishFile, readIfPresent, syncFolder, writeFileAtomic } from '../files.ts';
import type { Log } from '../logs/index.ts';
import type { Paths } from '../paths.ts';
import { openDatabase, openSqliteDatabase } from './database.ts';
import { copyDatabase, DatabaseCopies, type DatabaseCopy, listCopies, openCopy } from './database-copies.ts';
import { openSpareRoom } from './spare-room.ts';
import {
  type AnyDatabase,
  type Database,
  migrationsOf,
  type PlatformTables,
  type TableSet,
  tablesOf,
} from './tables.ts';

/** Seconds after a restoration in which nothing is deleted: what came after the copy is unknown to it. */
const RESTORED_GRACE = 7 * 86_400;

/** Numbers that a restoration skips (`TableSet.numbering`). */
const SKIPPED = 100;

export interface PlatformDatabase<Tables> {
  database: Database<Tables>;
  /** A copy of what it has now. */
  copy(): Promise<DatabaseCopy>;
  /** Takes a last copy. */
  close(): Promise<void>;
}

/**
 * Opens the platform's database; makes one for a new platform only. Takes copies from then on. Throws UserError when the
 * database is missing, damaged or another platform's: nothing was changed then, and the hint says how to put a copy in its place.
 */
export async function openPlatformDatabase<Tables>(
  paths: Paths,
  tables: TableSet<Tables>,
  log: Log,
): Promise<PlatformDatabase<Tables>> {
  if (!(await hasContent(paths.database)) && (await holdsData(paths))) throw lost(paths);
  const { database, sqlite } = await openSqliteDatabase(paths.database, tables, (older) =>
    copyDatabase(older, paths.databaseCopies),
  );
  const copies = new DatabaseCopies(sqlite, paths, log);
  try {
    await recognize(database, paths);
    openSpareRoom(sqlite, log);
  } catch (error) {
    await database.destroy();
    throw error;
  }
  copies.start();
  return {
    database,
    copy: () => copies.now(),
    close: async () => {
      await copies.close();
      await database.destroy();
    },
  };
}

/** Throws UserError CONFLICT when the state folder is not the one that this database was made for. */
async function recognize(database: AnyDatabase, paths: Pick<Paths, 'identity' | 'database'>): Promise<void> {
  const { id } = await tablesOf<PlatformTables>(database)
    .selectFrom('platform')
    .select('id')
    .executeTakeFirstOrThrow();
  const known = (await readIfPresent(paths.identity))?.trim();
  if (known === undefined) await writeFileAtomic(paths.identity, `${id}\n`, 0o600);
  else if (known !== id) throw foreign(paths.database);
}

/** False for some days after a restoration: then nothing may be deleted because the database does not name it. */
export async function mayCollect(database: AnyDatabase): Promise<boolean> {
  const row = await tablesOf<PlatformTables>(database)
    .selectFrom('platform')
    .select('collect_after')
    .executeTakeFirst();
  return (row?.collect_after ?? 0) <= Date.now() / 1000;
}

/** A copy, with how much is in it; `sound` is false when it cannot be used. */
export interface DescribedCopy extends DatabaseCopy {
  sound: boolean;
  /** Rows of the tables that are `counted`. */
  counts: Record<string, number>;
}

/** Newest first. */
export async function describeCopies<Tables>(
  paths: Pick<Paths, 'databaseCopies'>,
  { counted = {} }: Pick<TableSet<Tables>, 'counted'>,
): Promise<DescribedCopy[]> {
  return (await listCopies(paths)).map((copy) => {
    using sqlite = openCopy(copy.path);
    const count = (table: string) =>
      Number(sqlite?.prepare(`SELECT count(*) AS rows FROM ${table}`).get()?.rows ?? 0);
    const counts = Object.entries(counted).map(([what, table]) => [what, count(table)]);
    return { ...copy, sound: sqlite !== undefined, counts: Object.fromEntries(counts) };
  });
}

/** Names of what changed the tables of a copy that these tables do not know: they are older than it. Throws for what is no copy. */
export function unknownMigrations<Tables>(path: string, tables: TableSet<Tables>): string[] {
  using copy = openCopy(path);
  if (!copy) throw new Error(`${path} is no sound database`);
  const known = migrationsOf(tables);
  const done = copy.prepare('SELECT name FROM kysely_migration ORDER BY name').all();
  return done.map(({ name }) => String(name)).filter((name) => !(name in known));
}

/**
 * Puts a copy in the database's place, the newest sound one unless `name` is given; what was there is kept beside it. No server may
 * run. Answers the copy. Killed at any point, it can be repeated. Throws UserError.
 */
export async function restoreDatabase<Tables>(
  paths: Paths,
  tables: TableSet<Tables>,
  name?: string,
): Promise<DescribedCopy> {
  const copies = await describeCopies(paths, tables);
  const copy =
    name === undefined ? copies.find(({ sound }) => sound) : copies.find((one) => one.name === name);
  if (!copy) throw noCopy(paths, name);
  if (!copy.sound) {
    throw new UserError(
      'INVALID',
      `The copy ${copy.name} is damaged itself.`,
      'Choose another one: walt-server restore --list',
    );
  }
  const fresh = `${paths.database}.restoring`;
  await removeWithCompanions(fresh);
  await copyFileThrough(copy.path, fresh);
  await claim(fresh, paths, tables);
  await setAside(paths.database);
  await publishFile(fresh, paths.database);
  return copy;
}

/** Makes a copy this platform's own, as it is now, with a time in which nothing is deleted. */
async function claim<Tables>(file: string, paths: Paths, tables: TableSet<Tables>): Promise<void> {
  const database = await openDatabase(file, tables);
  try {
    const own = tablesOf<PlatformTables>(database);
    const { id } = await own.selectFrom('platform').select('id').executeTakeFirstOrThrow();
    const known = (await readIfPresent(paths.identity))?.trim() ?? id;
    const collect_after = Math.round(Date.now() / 1000) + RESTORED_GRACE;
    // A copy of an older version, which knew no identity, was given one just now.
    await own.updateTable('platform').set({ id: known, collect_after }).execute();
    // Numbers that were given since the copy have folders and keys: nobody else is to get them.
    const { numbering = [] } = tables;
    await sql`UPDATE sqlite_sequence SET seq = seq + ${SKIPPED} WHERE name IN (${sql.join(numbering)})`.execute(
      database,
    );
  } finally {
    await database.destroy();
  }
}

async function copyFileThrough(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  await chmod(to, 0o600);
}

/** SQLite's log belongs to its database: beside another one, it would be played back into that. */
async function setAside(file: string): Promise<void> {
  const suffix = `.replaced-${Math.round(Date.now() / 1000)}`;
  for (const companion of ['', '-wal', '-shm']) {
    try {
      await rename(`${file}${companion}`, `${file}${suffix}${companion}`);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
  }
  await syncFolder(dirname(file));
}

async function removeWithCompanions(file: string): Promise<void> {
  for (const companion of ['', '-wal', '-shm']) await rm(`${file}${companion}`, { force: true });
}

async function hasContent(file: string): Promise<boolean> {
  try {
    return (await stat(file)).size > 0;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/** True when a database was here once: everything in these folders is made after it. */
async function holdsData(paths: Paths): Promise<boolean> {
  if ((await readIfPresent(paths.identity)) !== undefined) return true;
  const { volumes, bootFiles, containers, persist, keys, virtual, databaseCopies } = paths;
  for (const folder of [bootFiles, containers, persist, keys, virtual, databaseCopies]) {
    if ((await namesIn(folder)).length > 0) return true;
  }
  // That one may be a file system of its own, with something of its own in it.
  return (await namesIn(volumes)).some((name) => name.endsWith('.erofs'));
}

function lost(paths: Pick<Paths, 'database' | 'state'>): UserError {
  return new UserError(
    'UNAVAILABLE',
    `The database ${paths.database} is missing or empty, and without it all images and nodes in ${paths.state} would be deleted.`,
    'Put a copy in its place: walt-server restore (--list shows them). To begin anew, move the state folder away.',
  );
}

function foreign(file: string): UserError {
  return new UserError(
    'CONFLICT',
    `The database ${file} is not the one of this state folder: what it does not name would be deleted.`,
    'Put the right one in its place, or a copy: walt-server restore (--list shows them).',
  );
}

function noCopy({ databaseCopies }: Pick<Paths, 'databaseCopies'>, name: string | undefined): UserError {
  return new UserError(
    'NOT_FOUND',
    name === undefined
      ? `There is no sound copy of the database in ${databaseCopies}.`
      : `There is no copy ${JSON.stringify(name)} in ${databaseCopies}.`,
    name === undefined
      ? 'To begin anew, move the state folder away.'
      : 'See those that are there: walt-server restore --list',
  );
}
