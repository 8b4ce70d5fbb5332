import type { Insertable, Transaction } from 'kysely';
import type { Database } from '../../platform/index.ts';
import { chunksOf } from './chunk.ts';
import { insertChunks, type NewChunk, newChunk, seconds, streamNumber } from './chunk-rows.ts';
import type { Clock } from './clock.ts';
import { noteReceived } from './spool-rows.ts';
import type { Stream, StreamList } from './stream-list.ts';
import type { ClockRow, LogTables, ReceivedRow } from './tables.ts';

/** Lines of one issuer that are stored together. */
export interface Batch {
  issuer: string;
  /** Stored lines (chunk.ts) by stream. */
  streams: ReadonlyMap<string, readonly Buffer[]>;
  /** That spool is stored up to this byte; the clock of who sent it. */
  spool?: { id: string; reached: number; clock?: Clock };
}

/** Bytes that one transaction stores: those that come meanwhile are in the next one. */
const MAX_COMMIT = 16 * 1024 * 1024;
/** Streams of one issuer, and of all: each takes some hundred bytes of memory, and anybody on walt-net can make addresses up. */
const MAX_STREAMS = 10_000;
const MAX_ALL_STREAMS = 500_000;
/** Bytes that a row takes besides what it tells. */
const ROW = 256;
/** Where lines go that would be one stream too many. */
const OVERFLOW = 'walt-log';

interface Waiting {
  batch: Batch;
  size: number;
  done: PromiseWithResolvers<void>;
}

interface Deps {
  database: () => Database<LogTables>;
  streams: StreamList;
  /** A stream has one more chunk. */
  grew: (stream: number) => void;
  /** Called after each transaction, and when nothing waits any more. */
  committed: () => void;
  over: () => void;
}

/** Batches on their way to the disk: all that come while one transaction is on its way are stored by the next one. */
export class GroupCommit {
  /** Lines that were stored, and bytes that wait for it. */
  readonly figures = { lines: 0, waiting: 0 };
  /** Bytes that were written since the start, about. */
  written = 0;
  readonly #deps: Deps;
  #waiting: Waiting[] = [];
  #committing: Promise<void> | undefined;
  #busy = false;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Resolves when it is on disk. Throws UserError UNAVAILABLE when it cannot be stored: then nothing of it is. */
  append(batch: Batch): Promise<void> {
    const parts = [...batch.streams.values()].flat();
    const size = parts.reduce((sum, { length }) => sum + length, 0);
    const done = Promise.withResolvers<void>();
    this.figures.waiting += size;
    this.#waiting.push({ batch, size, done });
    // A commit may end before it answers a promise: when the database is away.
    if (!this.#busy) this.#committing = this.#commit();
    return done.promise;
  }

  /** Resolves when nothing waits any more. */
  async close(): Promise<void> {
    await this.#committing;
  }

  async #commit(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0) {
      const some: Waiting[] = [];
      const made: Stream[] = [];
      let count = 0;
      for (let size = 0; size < MAX_COMMIT; ) {
        const next = this.#waiting.shift();
        if (!next) break;
        some.push(next);
        size += next.size;
      }
      try {
        await this.#deps
          .database()
          .transaction()
          .execute(async (t) => {
            count = await this.#store(t, some, made);
          });
        this.figures.lines += count;
        for (const { done } of some) done.resolve();
      } catch (error) {
        for (const stream of made) this.#deps.streams.remove(stream);
        for (const { done } of some) done.reject(error);
      } finally {
        for (const { size } of some) this.figures.waiting -= size;
      }
      this.#deps.committed();
    }
    // At once: who was told just now that his lines are stored may bring the next ones.
    this.#busy = false;
    this.#deps.over();
  }

  /** Answers how many lines these are. */
  async #store(t: Transaction<LogTables>, some: readonly Waiting[], made: Stream[]): Promise<number> {
    const chunks: NewChunk[] = [];
    const received = new Map<string, Insertable<ReceivedRow>>();
    const clocks = new Map<string, Insertable<ClockRow>>();
    for (const { batch } of some) {
      const { issuer, streams, spool } = batch;
      if (spool) {
        const row = { issuer, spool: spool.id, reached: spool.reached, at: seconds() };
        received.set(`${issuer} ${spool.id}`, row);
        if (spool.clock) clocks.set(issuer, { issuer, ...spool.clock });
      }
      for (const [name, parts] of streams) {
        const { id } = await this.#streamOf(t, issuer, name, made);
        for (const lines of chunksOf(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts))) {
          chunks.push(newChunk(id, lines, 0));
          this.#deps.grew(id);
        }
      }
    }
    this.written += chunks.reduce((sum, { data }) => sum + data.length + ROW, received.size * ROW);
    await insertChunks(t, chunks);
    await noteReceived(t, [...received.values()], [...clocks.values()]);
    return chunks.reduce((sum, { lines }) => sum + lines, 0);
  }

  /** `made` are those of this transaction. */
  async #streamOf(t: Transaction<LogTables>, issuer: string, name: string, made: Stream[]): Promise<Stream> {
    const known = this.#deps.streams.find(issuer, name);
    if (known) return known;
    const { streams } = this.#deps;
    const isFull = streams.count(issuer) >= MAX_STREAMS || streams.size >= MAX_ALL_STREAMS;
    if (isFull && name !== OVERFLOW) return await this.#streamOf(t, issuer, OVERFLOW, made);
    const id = await streamNumber(t, issuer, name);
    const stream = { id, issuer, name };
    made.push(stream);
    // Before others can read what it has.
    this.#deps.streams.add(stream);
    return stream;
  }
}
