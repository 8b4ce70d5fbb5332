import type { Generated, Kysely } from 'kysely';
import type { TableSet } from '../../platform/index.ts';
import type { Clock } from './clock.ts';

export interface LogTables {
  log_stream: StreamRow;
  log_chunk: ChunkRow;
  log_received: ReceivedRow;
  log_clock: ClockRow;
}

interface StreamRow {
  id: Generated<number>;
  /** Address of the node on walt-net, or `walt-server`. */
  issuer: string;
  name: string;
}

/** Lines of one stream. */
export interface ChunkRow {
  id: Generated<number>;
  stream: number;
  /** Times of its first and last line, microseconds of Unix time. */
  first: number;
  last: number;
  lines: number;
  /** Bytes of its text. */
  size: number;
  /** 0: as it arrived; n: made of chunks of level n - 1. */
  level: number;
  /** 1: `data` is compressed by zstd. */
  packed: number;
  /** As chunk.ts has it. */
  data: Uint8Array;
  /** Unix time in seconds since when another chunk has its lines: who reads it just now may finish. Null: it counts. */
  replaced: number | null;
}

/** How far the lines of a node's spool are stored: what is sent again is stored once. */
interface ReceivedRow {
  issuer: string;
  spool: string;
  /** Bytes of that spool. */
  reached: number;
  /** Unix time in seconds. */
  at: number;
}

/** By which clock lines of a node got their times. */
interface ClockRow extends Clock {
  issuer: string;
}

async function first(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('log_stream')
    .addColumn('id', 'integer', (c) => c.primaryKey())
    .addColumn('issuer', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addUniqueConstraint('log_stream_of', ['issuer', 'name'])
    .execute();
  await db.schema
    .createTable('log_chunk')
    // No id is given twice: who follows the lines goes on behind the last one that he has seen.
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('stream', 'integer', (c) => c.notNull().references('log_stream.id').onDelete('cascade'))
    .addColumn('first', 'bigint', (c) => c.notNull())
    .addColumn('last', 'bigint', (c) => c.notNull())
    .addColumn('lines', 'integer', (c) => c.notNull())
    .addColumn('size', 'integer', (c) => c.notNull())
    .addColumn('level', 'integer', (c) => c.notNull())
    .addColumn('packed', 'integer', (c) => c.notNull())
    .addColumn('data', 'blob', (c) => c.notNull())
    .addColumn('replaced', 'integer')
    .execute();
  await db.schema.createIndex('log_chunk_of').on('log_chunk').columns(['stream', 'last']).execute();
  await db.schema.createIndex('log_chunk_last').on('log_chunk').column('last').execute();
  await db.schema
    .createTable('log_received')
    .addColumn('issuer', 'text', (c) => c.notNull())
    .addColumn('spool', 'text', (c) => c.notNull())
    .addColumn('reached', 'bigint', (c) => c.notNull())
    .addColumn('at', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('log_received_of', ['issuer', 'spool'])
    .execute();
  await db.schema
    .createTable('log_clock')
    .addColumn('issuer', 'text', (c) => c.primaryKey())
    .addColumn('boot', 'text', (c) => c.notNull())
    .addColumn('least', 'bigint', (c) => c.notNull())
    .addColumn('since', 'bigint', (c) => c.notNull())
    .addColumn('earlier', 'bigint')
    .addColumn('sent', 'bigint', (c) => c.notNull())
    .addColumn('told', 'bigint', (c) => c.notNull())
    .execute();
}

/** Of the database of log lines, which is another one than the server's. */
export const logTables: TableSet<LogTables> = { migrations: { '0001-first': first } };
