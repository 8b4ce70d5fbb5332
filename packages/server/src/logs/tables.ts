import type { Kysely } from 'kysely';
import type { TableSet } from '../platform/index.ts';

export interface CheckpointTables {
  log_checkpoint: CheckpointRow;
}

interface CheckpointRow {
  user: string;
  name: string;
  /** Microseconds of Unix time. */
  at: number;
}

async function checkpoints(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('log_checkpoint')
    .addColumn('user', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('log_checkpoint_of', ['user', 'name'])
    .execute();
}

/** Of the server's database; the lines are in one of their own (program/tables.ts). */
export const checkpointTables: TableSet<CheckpointTables> = {
  migrations: { '0100-log-checkpoints': checkpoints },
};
