/** Rows of chunks and streams, in whichever database. */
import type { Insertable } from 'kysely';
import type { Database } from '../../platform/index.ts';
import { chunksOf, LARGE, type Lines, pack, unpack } from './chunk.ts';
import type { ChunkRow, LogTables } from './tables.ts';

/** Rows in one query. */
const FEW = 1000;
/** So many chunks of a level become one of the next. */
export const MERGED = 16;

export type NewChunk = Insertable<ChunkRow>;

export function newChunk(stream: number, { first, last, count, text }: Lines, level: number): NewChunk {
  const packed = level > 0 || text.length >= LARGE;
  return {
    ...{ stream, first, last, lines: count, size: text.length, level },
    ...{ packed: Number(packed), data: packed ? pack(text) : text },
  };
}

/** They get numbers in their order. */
export async function insertChunks(t: Database<LogTables>, chunks: readonly NewChunk[]): Promise<void> {
  for (let from = 0; from < chunks.length; from += FEW) {
    await t
      .insertInto('log_chunk')
      .values(chunks.slice(from, from + FEW))
      .execute();
  }
}

/** The lines of a chunk, as chunk.ts has them. */
export function textOf({ packed, data, size }: Pick<ChunkRow, 'packed' | 'data' | 'size'>): Buffer {
  return packed === 1 ? unpack(data, size) : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** The number of a stream, which is made if it is not there: perhaps nobody was told that it was made. */
export async function streamNumber(t: Database<LogTables>, issuer: string, name: string): Promise<number> {
  const { id } = await t
    .insertInto('log_stream')
    .values({ issuer, name })
    .onConflict((c) => c.columns(['issuer', 'name']).doUpdateSet({ name }))
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

/**
 * Makes chunks of the next level of those of one level, if there are enough. Answers whether it did: then there may be enough of the
 * next level.
 */
export async function mergeLevel(
  database: Database<LogTables>,
  stream: number,
  level: number,
): Promise<boolean> {
  return await database.transaction().execute(async (t) => {
    const rows = await t
      .selectFrom('log_chunk')
      .select(['id', 'size', 'packed', 'data'])
      .where('stream', '=', stream)
      .where('level', '=', level)
      .where('replaced', 'is', null)
      .where('size', '<', LARGE)
      .orderBy('id')
      .execute();
    if (rows.length < MERGED) return false;
    const text = Buffer.concat(rows.map(textOf));
    await insertChunks(
      t,
      chunksOf(text).map((lines) => newChunk(stream, lines, level + 1)),
    );
    const ids = rows.map(({ id }) => id);
    await t.updateTable('log_chunk').set({ replaced: seconds() }).where('id', 'in', ids).execute();
    return true;
  });
}

/**
 * Removes chunks whose lines are all older than `before`, in microseconds; then the oldest of those issuers that have most, until all
 * have `most` bytes. Answers how many lines went.
 */
export async function dropChunks(
  database: Database<LogTables>,
  before: number,
  most: number,
): Promise<number> {
  return await database.transaction().execute(async (t) => {
    const all = await t
      .selectFrom('log_chunk')
      .innerJoin('log_stream', 'log_stream.id', 'log_chunk.stream')
      .select(({ eb }) => [
        ...(['log_chunk.id', 'issuer', 'last', 'lines'] as const),
        eb.fn<number>('length', ['data']).as('bytes'),
      ])
      .where('replaced', 'is', null)
      .orderBy('last')
      .execute();
    const left = new Map<string, number>();
    for (const { issuer, last, bytes } of all) {
      if (last >= before) left.set(issuer, (left.get(issuer) ?? 0) + bytes);
    }
    const share = evenShare([...left.values()], most);
    const going = all.filter(({ issuer, last, bytes }) => {
      if (last < before) return true;
      const had = left.get(issuer) ?? 0;
      if (had <= share) return false;
      left.set(issuer, had - bytes);
      return true;
    });
    for (let from = 0; from < going.length; from += FEW) {
      const ids = going.slice(from, from + FEW).map(({ id }) => id);
      await t.deleteFrom('log_chunk').where('id', 'in', ids).execute();
    }
    return going.reduce((sum, { lines }) => sum + lines, 0);
  });
}

/** What each may have at most, so that all together have `most`: who has less than that leaves the rest to the others. */
function evenShare(sizes: readonly number[], most: number): number {
  let rest = most;
  let count = sizes.length;
  for (const size of sizes.toSorted((a, b) => a - b)) {
    if (size * count > rest) return rest / count;
    rest -= size;
    count -= 1;
  }
  return Number.POSITIVE_INFINITY;
}

/**
 * What replaced chunks take, in bytes, once those are removed that were replaced before `before`: with them, it would be more than
 * `most`. Undefined: it is not.
 */
export async function surplusOf(
  database: Database<LogTables>,
  most: number,
): Promise<{ bytes: number; before: number | undefined }> {
  const rows = await database
    .selectFrom('log_chunk')
    .select(({ eb, fn }) => [
      'replaced',
      fn.sum<number | string>(eb.fn<number>('length', ['data'])).as('bytes'),
    ])
    .where('replaced', 'is not', null)
    .groupBy('replaced')
    .orderBy('replaced', 'desc')
    .execute();
  let bytes = 0;
  for (const { replaced, bytes: more } of rows) {
    if (bytes + Number(more) > most) return { bytes, before: Number(replaced) + 1 };
    bytes += Number(more);
  }
  return { bytes, before: undefined };
}

/** Unix time. */
export function seconds(): number {
  return Math.floor(Date.now() / 1000);
}
