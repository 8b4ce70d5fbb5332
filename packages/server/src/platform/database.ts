import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { Kysely, SqliteDialect } from 'kysely';
import { Migrator } from 'kysely/migration';
import { UserError } from './errors.ts';
import { migrations, type Schema } from './schema.ts';

export type Database = Kysely<Schema>;

/**
 * Opens the database file and brings its tables up to date; each migration is a transaction. `:memory:` works too.
 * The file gets mode 600. A commit is on disk when it returns (WAL, synchronous=FULL). The file is ours alone until it is closed
 * or we die: throws UserError CONFLICT when another server has it.
 */
export async function openDatabase(file: string): Promise<Database> {
  // It holds nodes' tokens: nobody else may read it. SQLite gives its other files the same mode.
  if (file !== ':memory:') closeSync(openSync(file, 'a', 0o600));
  const sqlite = new DatabaseSync(file, { timeout: 2000, enableForeignKeyConstraints: true });
  try {
    // The empty transaction takes the lock, which this mode keeps.
    sqlite.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    sqlite.exec('BEGIN IMMEDIATE; COMMIT;');
  } catch (error) {
    sqlite.close();
    if (!isLocked(error)) throw error;
    throw new UserError(
      'CONFLICT',
      `Another server works with ${file}.`,
      'Stop it first, or give this platform a state folder of its own.',
    );
  }
  const database: Database = new Kysely({ dialect: new SqliteDialect({ database: adapt(sqlite) }) });
  const migrator = new Migrator({
    db: database,
    provider: { getMigrations: async () => migrations },
  });
  const { error } = await migrator.migrateToLatest();
  if (error) {
    await database.destroy();
    throw error;
  }
  return database;
}

/** SQLITE_BUSY or SQLITE_LOCKED (https://sqlite.org/rescode.html). */
function isLocked(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && [5, 6].includes(Number(error.errcode) & 0xff);
}

/** Kysely's SQLite dialect speaks better-sqlite3's interface; node:sqlite differs in how parameters are passed. */
function adapt(sqlite: DatabaseSync) {
  return {
    close: () => sqlite.close(),
    prepare(text: string) {
      const statement = sqlite.prepare(text);
      const values = (parameters: readonly unknown[]) => parameters as SQLInputValue[];
      return {
        reader: statement.columns().length > 0,
        all: (parameters: readonly unknown[]) => statement.all(...values(parameters)),
        run: (parameters: readonly unknown[]) => statement.run(...values(parameters)),
        iterate: (parameters: readonly unknown[]) => statement.iterate(...values(parameters)),
      };
    },
  };
}
