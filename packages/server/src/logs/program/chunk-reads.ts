/** Chunks as readers ask for them. */
import type { Selectable } from 'kysely';
import type { Database } from '../../platform/index.ts';
import type { Stream } from './stream-list.ts';
import type { ChunkRow, LogTables } from './tables.ts';

const HEAD_COLUMNS = ['id', 'stream', 'first', 'last', 'lines', 'size', 'packed'] as const;
/** Values in one query. */
const FEW = 1000;

/** A chunk without its lines. */
export type ChunkHead = Pick<Selectable<ChunkRow>, (typeof HEAD_COLUMNS)[number]>;
export type Chunk = ChunkHead & Pick<ChunkRow, 'data'>;

/**
 * Streams that `selects` takes, and their chunks with lines between two times, by their first line. The last chunk that has arrived is
 * `reached`; 0: none is there.
 */
export async function headsOf(
  database: Database<LogTables>,
  selects: (stream: Stream) => boolean,
  from: number,
  to: number,
): Promise<{ streams: Stream[]; heads: ChunkHead[]; reached: number }> {
  return await database.transaction().execute(async (t) => {
    const streams = (await t.selectFrom('log_stream').selectAll().execute()).filter(selects);
    const ids = new Set(streams.map(({ id }) => id));
    const { newest } = await t
      .selectFrom('log_chunk')
      .select(({ fn }) => fn.max('id').as('newest'))
      .where('level', '=', 0)
      .executeTakeFirstOrThrow();
    const heads = await t
      .selectFrom('log_chunk')
      .select(HEAD_COLUMNS)
      .where('replaced', 'is', null)
      .where('last', '>=', from)
      .where('first', '<=', to)
      // There are bounds to how many values a query may have; the rest is sorted out here.
      .$if(ids.size > 0 && ids.size < FEW, (query) => query.where('stream', 'in', [...ids]))
      .orderBy('first')
      .orderBy('id')
      .execute();
    return { streams, heads: heads.filter(({ stream }) => ids.has(stream)), reached: newest ?? 0 };
  });
}

/** Those of these chunks that are still there, replaced ones too. */
export async function chunksOfIds(database: Database<LogTables>, ids: readonly number[]): Promise<Chunk[]> {
  if (ids.length === 0) return [];
  return await database
    .selectFrom('log_chunk')
    .select([...HEAD_COLUMNS, 'data'])
    .where('id', 'in', [...ids])
    .execute();
}

/** Chunks that arrived after that one, in their order, at most `count`. */
export async function chunksAfter(
  database: Database<LogTables>,
  after: number,
  count: number,
): Promise<Chunk[]> {
  return await database
    .selectFrom('log_chunk')
    .select([...HEAD_COLUMNS, 'data'])
    .where('id', '>', after)
    .where('level', '=', 0)
    .orderBy('id')
    .limit(count)
    .execute();
}
