/**
 * Moves all lines from one database to another one, which may have lines, too. Whoever is killed meanwhile, it goes on where it was:
 * a chunk knows its number in the other database until all are there. Nobody else may work with the two; should somebody between two
 * tries, he adds chunks, and neither merges nor removes any.
 */
import { createHash, type Hash } from 'node:crypto';
import { sql } from 'kysely';
import { type Database, UserError } from '../../platform/index.ts';
import { streamNumber } from './chunk-rows.ts';
import { type LogTables, lastNumber, skipNumbers } from './tables.ts';

/** Chunks that are moved in one transaction, and rows of other tables. */
const TOGETHER = 64;
const ROWS = 1000;

type Lines = Database<LogTables>;
/** Told now and then: lines that are there, of all. */
type Tell = (done: number, all: number) => void;

/** Copies and verifies. Answers how many lines these were; 0 when an earlier move was done. `source` is as it was. */
export async function moveLines(source: Lines, target: Lines, tell: Tell): Promise<number> {
  const id = await numberOf(source);
  const before = await target.selectFrom('log_move').selectAll().execute();
  if (before.some((move) => move.source === id && move.done === 1)) return 0;
  if (before.some((move) => move.source !== id && move.done === 0)) throw anotherMove();
  const move = { source: id, done: 0 };
  for (const database of [source, target]) {
    await database
      .insertInto('log_move')
      .values(move)
      .onConflict((c) => c.doNothing())
      .execute();
  }
  const all = await linesIn(source, 'id');
  await copyChunks(source, target, (done) => tell(done, all));
  const difference = firstDifference(await digestsOf(source, 'id'), await digestsOf(target, 'origin'));
  if (difference !== undefined) {
    await target.deleteFrom('log_chunk').where('origin', 'is not', null).execute();
    throw differs(difference);
  }
  await target.transaction().execute(async (t) => {
    await t.updateTable('log_chunk').set({ origin: null }).where('origin', 'is not', null).execute();
    await copyProgress(source, t);
    // Who follows lines has seen numbers of both.
    await skipNumbers(t, await lastNumber(source));
    await t.updateTable('log_move').set({ done: 1 }).where('source', '=', id).execute();
  });
  return all;
}

/** Removes all tables. */
export async function removeTables(database: Lines): Promise<void> {
  const tables = ['log_move', 'log_clock', 'log_received', 'log_chunk', 'log_stream', 'platform'];
  await database.transaction().execute(async (t) => {
    for (const table of [...tables, 'kysely_migration', 'kysely_migration_lock']) {
      await t.schema.dropTable(table).execute();
    }
  });
}

async function numberOf(database: Lines): Promise<string> {
  const { rows } = await sql<{ id: string }>`select id from platform`.execute(database);
  return rows[0]?.id ?? '';
}

async function linesIn(database: Lines, column: 'id' | 'origin'): Promise<number> {
  const { lines } = await database
    .selectFrom('log_chunk')
    .select(({ fn }) => fn.sum<number | string | null>('lines').as('lines'))
    .where('replaced', 'is', null)
    .where(column, 'is not', null)
    .executeTakeFirstOrThrow();
  return Number(lines ?? 0);
}

async function copyChunks(source: Lines, target: Lines, tell: (done: number) => void): Promise<void> {
  const names = new Map(
    (await source.selectFrom('log_stream').selectAll().execute()).map((stream) => [stream.id, stream]),
  );
  const streams = new Map<number, number>();
  let done = await linesIn(target, 'origin');
  const { last } = await target
    .selectFrom('log_chunk')
    .select(({ fn }) => fn.max('origin').as('last'))
    .executeTakeFirstOrThrow();
  for (let reached = last ?? 0; ; ) {
    const chunks = await chunksAfter(source, 'id', reached);
    if (chunks.length === 0) return;
    await target.transaction().execute(async (t) => {
      for (const { stream } of chunks) {
        if (streams.has(stream)) continue;
        const named = names.get(stream);
        if (!named) throw new TypeError('a chunk has no stream');
        streams.set(stream, await streamNumber(t, named.issuer, named.name));
      }
      const rows = chunks.map(
        ({ id, issuer: _issuer, name: _name, position: _position, stream, level, ...chunk }) => ({
          ...chunk,
          ...{ stream: streams.get(stream) ?? 0, origin: id },
          // None of them arrives once more for who follows lines.
          level: Math.max(level, 1),
        }),
      );
      await t.insertInto('log_chunk').values(rows).execute();
    });
    reached = chunks.at(-1)?.id ?? reached;
    done += chunks.reduce((sum, { lines }) => sum + lines, 0);
    tell(done);
  }
}

/** Chunks that count, by their number here or where they come from. */
async function chunksAfter(database: Lines, column: 'id' | 'origin', after: number) {
  return await database
    .selectFrom('log_chunk')
    .innerJoin('log_stream', 'log_stream.id', 'log_chunk.stream')
    .select([
      'log_chunk.id',
      'stream',
      'issuer',
      'name',
      'first',
      'last',
      'lines',
      'size',
      'level',
      'packed',
      'data',
    ])
    .select(`log_chunk.${column} as position`)
    .where('replaced', 'is', null)
    .where(`log_chunk.${column}`, '>', after)
    .orderBy(`log_chunk.${column}`)
    .limit(TOGETHER)
    .execute();
}

interface StreamDigest {
  lines: number;
  hash: Hash;
}

/** Lines and their digest, of each stream. */
async function digestsOf(database: Lines, column: 'id' | 'origin'): Promise<Map<string, string>> {
  const digests = new Map<string, StreamDigest>();
  for (let reached = 0; ; ) {
    const chunks = await chunksAfter(database, column, reached);
    if (chunks.length === 0) break;
    for (const { issuer, name, first, last, lines, size, packed, data } of chunks) {
      const key = `${issuer} ${name}`;
      const digest = digests.get(key) ?? { lines: 0, hash: createHash('sha256') };
      digests.set(key, digest);
      digest.lines += lines;
      digest.hash.update(`${first} ${last} ${lines} ${size} ${packed} ${data.length} `).update(data);
    }
    reached = chunks.at(-1)?.position ?? reached;
  }
  return new Map([...digests].map(([key, { lines, hash }]) => [key, `${lines} ${hash.digest('hex')}`]));
}

/** `issuer name` of a stream that is not the same in both. */
function firstDifference(a: Map<string, string>, b: Map<string, string>): string | undefined {
  return [...a.keys(), ...b.keys()].find((key) => a.get(key) !== b.get(key));
}

/** How far spools are stored, and clocks: where the other one knows them, too, what is later there counts. */
async function copyProgress(source: Lines, t: Lines): Promise<void> {
  const received = await source.selectFrom('log_received').selectAll().execute();
  for (let from = 0; from < received.length; from += ROWS) {
    await t
      .insertInto('log_received')
      .values(received.slice(from, from + ROWS))
      .onConflict((c) =>
        c
          .columns(['issuer', 'spool'])
          .doUpdateSet({ reached: sql.ref('excluded.reached') })
          .whereRef('log_received.reached', '<', sql.ref('excluded.reached')),
      )
      .execute();
  }
  const clocks = await source.selectFrom('log_clock').selectAll().execute();
  for (let from = 0; from < clocks.length; from += ROWS) {
    await t
      .insertInto('log_clock')
      .values(clocks.slice(from, from + ROWS))
      .onConflict((c) => c.doNothing())
      .execute();
  }
}

function anotherMove(): UserError {
  return new UserError(
    'CONFLICT',
    'Lines of another database are half moved into this one.',
    'Move those to their end first: name this database in server.conf, then repeat the command.',
  );
}

function differs(stream: string): UserError {
  const [issuer, name] = stream.split(' ');
  return new UserError(
    'UNAVAILABLE',
    `Lines of stream ${name} of ${issuer} are not the same in both databases. The copy was removed; all are where they were.`,
    'See whether the disks are well (dmesg), then repeat the command.',
  );
}
