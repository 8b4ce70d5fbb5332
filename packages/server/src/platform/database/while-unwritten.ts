import { sql } from 'kysely';
import type { Database } from './tables.ts';

/**
 * A reader of a database that reads again only once something was written, whatever it was: the file is this process's alone. What it
 * answers is shared by all who ask, so nobody may change it. Not to be asked within a transaction.
 */
export function whileUnwritten<Tables, T>(
  database: Database<Tables>,
  read: () => Promise<T>,
): () => Promise<T> {
  let known: { changes: number; value: T } | undefined;
  return async () => {
    // Before what they are about: what is written in between is read once more.
    const changes = await changesOf(database);
    if (known?.changes === changes) return known.value;
    const value = await read();
    known = { changes, value };
    return value;
  };
}

/** Rows that this connection has written, deletions that follow from others included (sqlite3_total_changes). */
async function changesOf<Tables>(database: Database<Tables>): Promise<number> {
  const { rows } = await sql<{ count: number }>`SELECT total_changes() AS count`.execute(database);
  return rows[0]?.count ?? Number.NaN;
}
