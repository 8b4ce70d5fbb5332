/** Table of tokens, and the migration that made it. */
import type { Kysely } from 'kysely';
import type { TableSet } from '../platform/index.ts';

export interface TokenTable {
  /** SHA-256 of the token. */
  hash: string;
  uid: number;
  user: string;
  /** Unix time in seconds. */
  expires: number;
}

export interface AccessTables {
  token: TokenTable;
}

async function first(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('token')
    .addColumn('hash', 'text', (c) => c.primaryKey())
    .addColumn('uid', 'integer', (c) => c.notNull())
    .addColumn('user', 'text', (c) => c.notNull())
    .addColumn('expires', 'integer', (c) => c.notNull())
    .execute();
}

export const accessTables: TableSet<AccessTables> = { migrations: { '0001-first': first } };
