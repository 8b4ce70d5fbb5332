import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { Kysely, SqliteAdapter, SqliteDialect } from 'kysely';
import { Migrator } from 'kysely/migration';
import { UserError } from '../errors.ts';
import { createLog } from '../logs/index.ts';
import { damaged, explained, isDamaged, isLocked, isStorageFailure } from './database-errors.ts';
import { Statements } from './statements.ts';
import { type Database, migrationsOf, type TableSet } from './tables.ts';

/**
 * Opens the database file and brings these tables up to date; all that are missing are made, or none. `:memory:` works too.
 * The file gets mode 600. A commit is on disk when it returns (WAL, synchronous=FULL). The file is ours alone until it is closed
 * or we die: throws UserError CONFLICT when another server has it, UNAVAILABLE when it is damaged or a newer version's. `beforeChange` is called when
 * the tables of an older version are about to be changed.
 */
export async function openDatabase<Tables>(
  file: string,
  tables: TableSet<Tables>,
  beforeChange?: (sqlite: DatabaseSync) => Promise<void>,
): Promise<Database<Tables>> {
  return (await openSqliteDatabase(file, tables, beforeChange)).database;
}

/** The same, with the connection itself. */
export async function openSqliteDatabase<Tables>(
  file: string,
  tables: TableSet<Tables>,
  beforeChange?: (sqlite: DatabaseSync) => Promise<void>,
): Promise<{ database: Database<Tables>; sqlite: DatabaseSync }> {
  const migrations = migrationsOf(tables);
  const sqlite = openSqlite(file, Object.keys(migrations));
  const dialect = new WholeMigrations({ database: adapt(sqlite, file) });
  const database: Database<Tables> = new Kysely({ dialect });
  try {
    const provider = { getMigrations: async () => migrations };
    await migrate(new Migrator({ db: database, provider }), sqlite, beforeChange);
  } catch (error) {
    await database.destroy();
    throw error;
  }
  return { database, sqlite };
}

/** Kysely migrates SQLite step by step: a server killed between a table and the note of its migration would never start again. */
class WholeMigrations extends SqliteDialect {
  override createAdapter(): SqliteAdapter {
    return new (class extends SqliteAdapter {
      override get supportsTransactionalDdl(): boolean {
        return true;
      }
    })();
  }
}

/** A connection that has the file alone, looked over. `known`: migrations that may have been made there. */
function openSqlite(file: string, known: readonly string[]): DatabaseSync {
  // It holds nodes' tokens: nobody else may read it. SQLite gives its other files the same mode.
  if (file !== ':memory:') closeSync(openSync(file, 'a', 0o600));
  const sqlite = new DatabaseSync(file, { timeout: 2000, enableForeignKeyConstraints: true });
  try {
    // The empty transaction takes the lock, which this mode keeps.
    sqlite.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    sqlite.exec('BEGIN IMMEDIATE; COMMIT;');
    const [fault] = faults(sqlite, 'quick_check');
    if (fault !== undefined) throw damaged(file, fault);
    refuseNewer(sqlite, known, file);
    return sqlite;
  } catch (error) {
    sqlite.close();
    if (isDamaged(error) || !isLocked(error)) throw explained(error, file);
    throw new UserError(
      'CONFLICT',
      `Another server works with ${file}.`,
      'Stop it first, or give this platform a state folder of its own.',
    );
  }
}

/** What SQLite finds wrong in a database; nothing: it is sound. */
export function faults(sqlite: DatabaseSync, check: 'quick_check' | 'integrity_check'): string[] {
  const rows = sqlite.prepare(`PRAGMA ${check}(1)`).all();
  return rows.flatMap((row) => Object.values(row).map(String)).filter((text) => text !== 'ok');
}

/** Throws UserError UNAVAILABLE when a migration was made here that is not `known`: what is in the tables would be misread. */
function refuseNewer(sqlite: DatabaseSync, known: readonly string[], file: string): void {
  const table = sqlite.prepare("SELECT 1 FROM sqlite_master WHERE name = 'kysely_migration'").get();
  if (!table) return;
  const done = sqlite.prepare('SELECT name FROM kysely_migration ORDER BY name').all();
  const later = done.map(({ name }) => String(name)).find((name) => !known.includes(name));
  if (later === undefined) return;
  throw new UserError(
    'UNAVAILABLE',
    `A newer version of WalT has worked with ${file}, and changed it (${later}). Nothing was changed now.`,
    'Install that version again, or put a copy from before in its place: walt-server restore --list',
  );
}

async function migrate(
  migrator: Migrator,
  sqlite: DatabaseSync,
  beforeChange?: (sqlite: DatabaseSync) => Promise<void>,
): Promise<void> {
  const all = await migrator.getMigrations();
  const done = all.filter(({ executedAt }) => executedAt !== undefined);
  if (done.length > 0 && done.length < all.length) await beforeChange?.(sqlite);
  const { error } = await migrator.migrateToLatest();
  if (error) throw error;
}

const log = createLog('database');

/**
 * Kysely's SQLite dialect speaks better-sqlite3's interface; node:sqlite differs in how parameters are passed. Failures of the disk
 * come as UserError, in words.
 */
export function adapt(sqlite: DatabaseSync, file: string) {
  const inWords = <T>(act: () => T): T => {
    try {
      return act();
    } catch (error) {
      if (isStorageFailure(error)) log.error('the database fails', { file, error: String(error) });
      throw explained(error, file);
    }
  };
  const statements = new Statements(sqlite);
  return {
    close: () => sqlite.close(),
    prepare(text: string) {
      // Where SQLite gave the transaction up itself, as on a full disk, a rollback's own failure would hide why.
      if (text === 'rollback' && !sqlite.isTransaction) return NOTHING;
      const { statement, reader, all } = inWords(() => statements.of(text));
      const values = (parameters: readonly unknown[]) => parameters as SQLInputValue[];
      return {
        reader,
        all: (parameters: readonly unknown[]) => inWords(() => all(values(parameters))),
        run: (parameters: readonly unknown[]) => inWords(() => statement.run(...values(parameters))),
        // All at once: nothing of ours reads row by row.
        iterate: (parameters: readonly unknown[]) => inWords(() => all(values(parameters)).values()),
      };
    },
  };
}

const NOTHING = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [][Symbol.iterator](),
};
