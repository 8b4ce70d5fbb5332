import { type Database, type Log, UserError } from '../../platform/index.ts';
import { type Chunk, type ChunkHead, chunksAfter, chunksOfIds, headsOf } from './chunk-reads.ts';
import { dropChunks, MERGED, mergeLevel, seconds, surplusOf } from './chunk-rows.ts';
import type { Clock } from './clock.ts';
import { LogConnection, type LogPlace, type Outage } from './connection.ts';
import { type Batch, GroupCommit } from './group-commit.ts';
import { clockOf, dropSpools, dropSurplusSpools, reachedOf } from './spool-rows.ts';
import { type Stream, StreamList } from './stream-list.ts';
import type { LogTables } from './tables.ts';

/** Seconds for which replaced chunks stay at least: who follows lines may be behind. */
const REPLACED_STAY = 600;
/** Seconds for which they stay for who reads what was there. */
const LONGEST_HOLD = 86_400;

/** The part of what lines may take that replaced chunks may take beside them, whoever reads these. */
const REPLACED_PART = 1 / 4;

/** Chunks that were there when a reader began: they stay for it, unless there are too many of them. */
export interface Hold extends Disposable {
  /** Unix time in seconds. */
  since: number;
  /** Some of them are gone. */
  isLost: boolean;
}

/** All lines, in one database. */
export class LogStore {
  #connection: LogConnection | undefined;
  readonly #log: Log;
  readonly #streams = new StreamList();
  readonly #commits: GroupCommit;
  #merging: Promise<void> | undefined;
  /** The last chunk that arrived, and was removed since another one has its lines. */
  #forgotten = 0;
  /** All chunks stay as they are: they are being moved (move.ts), and that goes on later. */
  #moving = false;
  /** Streams with enough chunks of a level that it may be worth to merge them; how many came since. */
  readonly #grown = new Map<number, number>();
  /** Called after each commit. */
  readonly #followers = new Set<() => void>();
  readonly #readers = new Set<Hold>();

  private constructor(log: Log) {
    this.#log = log;
    this.#commits = new GroupCommit({
      database: () => this.#db,
      streams: this.#streams,
      grew: (stream) => this.#grown.set(stream, (this.#grown.get(stream) ?? 0) + 1),
      committed: () => this.#wake(),
      over: () => this.#mergeSoon(),
    });
  }

  static async open(place: LogPlace, log: Log): Promise<LogStore> {
    const store = new LogStore(log);
    store.#connection = await LogConnection.open(
      place,
      log,
      (database) => store.#load(database),
      () => store.#wake(),
    );
    if (!store.away) {
      await store.tidy().catch((error) => log.error('cannot remove old lines', { reason: String(error) }));
    }
    return store;
  }

  /** Whether its database is away: all that it is asked throws UserError UNAVAILABLE then. Followers are called when it is back. */
  get away(): boolean {
    return this.#connection?.away ?? true;
  }

  get outage(): Outage | undefined {
    return this.#connection?.outage;
  }

  /** Copies all of it, as it is at one moment, into the new file `to`. False: PostgreSQL has it. */
  async copy(to: string): Promise<boolean> {
    return (await this.#connection?.copy(to)) ?? false;
  }

  /** Lines that were stored, and bytes that wait for it. */
  get figures(): GroupCommit['figures'] {
    return this.#commits.figures;
  }

  /** Bytes that were written since the start, about. */
  get written(): number {
    return this.#commits.written;
  }

  /** Resolves when it is on disk. Throws UserError UNAVAILABLE when it cannot be stored: then nothing of it is. */
  append(batch: Batch): Promise<void> {
    return this.#commits.append(batch);
  }

  /** Bytes of that spool that are stored. */
  async reached(issuer: string, spool: string): Promise<number> {
    return await reachedOf(this.#db, issuer, spool);
  }

  /** What is known of the clock of an issuer. */
  async clock(issuer: string): Promise<Clock | undefined> {
    return await clockOf(this.#db, issuer);
  }

  streams(): Iterable<Stream> {
    return this.#streams.all();
  }

  stream(id: number): Stream | undefined {
    return this.#streams.byId(id);
  }

  /** Calls `act` after each commit. To be disposed. */
  follow(act: () => void): Disposable {
    this.#followers.add(act);
    return { [Symbol.dispose]: () => this.#followers.delete(act) };
  }

  /**
   * Streams that `selects` takes, and their chunks with lines between two times, by their first line: those that are there now. The
   * last chunk that arrived until now is `reached`.
   */
  async heads(
    selects: (stream: Stream) => boolean,
    from: number,
    to: number,
  ): Promise<{ streams: Stream[]; heads: ChunkHead[]; reached: number }> {
    const found = await headsOf(this.#db, selects, from, to);
    return { ...found, reached: Math.max(found.reached, this.#forgotten) };
  }

  /** Those of these chunks that are still there, replaced ones too. */
  async chunks(ids: readonly number[]): Promise<Chunk[]> {
    return await chunksOfIds(this.#db, ids);
  }

  /**
   * Chunks that arrived after that one, in their order, at most `count`. Throws UserError CONFLICT when some of them are not known one
   * by one any more.
   */
  async arrivals(after: number, count: number): Promise<Chunk[]> {
    if (after < this.#forgotten) throw tooLate();
    return await chunksAfter(this.#db, after, count);
  }

  /** Removes all lines of an issuer. */
  async forget(issuer: string): Promise<void> {
    try {
      await this.#db.transaction().execute(async (t) => {
        // With their chunks.
        await t.deleteFrom('log_stream').where('issuer', '=', issuer).execute();
        await t.deleteFrom('log_received').where('issuer', '=', issuer).execute();
        await t.deleteFrom('log_clock').where('issuer', '=', issuer).execute();
      });
    } finally {
      // Also where nobody was told that they are gone.
      for (const stream of [...this.streams()]) if (stream.issuer === issuer) this.#streams.remove(stream);
    }
  }

  /** From now on, chunks that are replaced stay for this reader, for a day at most, until it is disposed of. */
  hold(): Hold {
    const hold: Hold = {
      ...{ since: seconds(), isLost: false },
      [Symbol.dispose]: () => this.#readers.delete(hold),
    };
    this.#readers.add(hold);
    return hold;
  }

  /**
   * Removes chunks whose lines are all older than `before`, in microseconds, then the oldest of those issuers that have most, until all
   * have `most` bytes.
   * Answers how many lines went.
   */
  async drop(before: number, most: number): Promise<number> {
    if (this.#moving) return 0;
    await dropSurplusSpools(this.#db);
    return await dropChunks(this.#db, before, most - (await this.#cutReplaced(most * REPLACED_PART)));
  }

  /** Those that were replaced longest ago go, until the rest has `most` bytes. Answers how many it has. */
  async #cutReplaced(most: number): Promise<number> {
    const { bytes, before } = await surplusOf(this.#db, most);
    if (before === undefined) return bytes;
    for (const hold of this.#readers) if (hold.since < before) hold.isLost = true;
    await this.#removeReplaced(before);
    return bytes;
  }

  /** Removes what nobody reads any more, and merges what was not merged by an earlier program. */
  async tidy(): Promise<void> {
    const now = seconds();
    const since = [...this.#readers].map((hold) => hold.since);
    const read = Math.max(Math.min(now, ...since), now - LONGEST_HOLD);
    await this.#removeReplaced(Math.min(read, now - REPLACED_STAY));
    await dropSpools(this.#db);
    for (const { id } of this.streams()) this.#grown.set(id, MERGED);
    await this.merge();
  }

  /** `before`: Unix time in seconds. */
  async #removeReplaced(before: number): Promise<void> {
    const { last } = await this.#db
      .selectFrom('log_chunk')
      .select(({ fn }) => fn.max('id').as('last'))
      .where('level', '=', 0)
      .where('replaced', '<', before)
      .executeTakeFirstOrThrow();
    this.#forgotten = Math.max(this.#forgotten, last ?? 0);
    await this.#db.deleteFrom('log_chunk').where('replaced', '<', before).execute();
  }

  /** Makes few large chunks of many small ones. */
  async merge(): Promise<void> {
    this.#merging ??= this.#mergeGrown().finally(() => {
      this.#merging = undefined;
    });
    await this.#merging;
  }

  async close(): Promise<void> {
    await this.#commits.close();
    await this.#merging;
    await this.#connection?.close();
  }

  get #db(): Database<LogTables> {
    if (!this.#connection) throw new TypeError('not open yet');
    return this.#connection.database;
  }

  /** What another program may have changed since. */
  async #load(database: Database<LogTables>): Promise<void> {
    const streams = await database.selectFrom('log_stream').selectAll().execute();
    this.#streams.reset(streams);
    const moves = await database.selectFrom('log_move').select('source').where('done', '=', 0).execute();
    this.#moving = moves.length > 0;
  }

  #wake(): void {
    for (const follower of this.#followers) follower();
  }

  #mergeSoon(): void {
    void this.merge().catch((error) => {
      if (!this.away) this.#log.error('cannot merge', { reason: String(error) });
    });
  }

  async #mergeGrown(): Promise<void> {
    if (this.#moving) return;
    for (const [stream, count] of this.#grown) {
      if (count < MERGED) continue;
      this.#grown.delete(stream);
      for (let level = 0; await mergeLevel(this.#db, stream, level); level += 1);
    }
  }
}

function tooLate(): UserError {
  return new UserError(
    'CONFLICT',
    'Nothing was taken of the lines that came for so long that some of them may be missing here.',
    'Ask for those of that time: walt log show --history START:',
  );
}
