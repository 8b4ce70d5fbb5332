import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { RE2JS } from 're2js';
import { type Log, UserError } from '../../../platform/index.ts';
import type { Chunk } from '../chunk-reads.ts';
import type { LogStore } from '../store.ts';
import type { Stream } from '../stream-list.ts';
import { isExpression } from './matcher.ts';
import type { Answer, FromThread, Order, ThreadData, ToThread } from './messages.ts';
import { transferable } from './search.ts';
import { Searchers } from './searchers.ts';

/** What a reader wants. Times are microseconds of Unix time, both included; they bound what is there already. */
export interface Query {
  /** What issuers are called, by what they are here. */
  issuers: Readonly<Record<string, string>>;
  /** Expressions in RE2's syntax; absent: all. */
  streams?: string | undefined;
  lines?: string | undefined;
  from: number;
  to: number;
  /** Only so many of the last of what is there already. */
  last?: number | undefined;
  /** Whether lines that come are told, too. */
  follow: boolean;
  /** Nothing of what arrived up to this position (`P`) is told. */
  after?: number | undefined;
}

/** Readers at a time, each a thread of some MB. */
const MAX_READERS = 64;
/** Threads that search. */
const SEARCHERS = Math.max(2, Math.min(availableParallelism(), 4));
/** Chunks that arrived, and go to a thread together. */
const TOGETHER = 64;

/** Where text goes; resolves when there is room for more. Rejects, or never resolves again, when nobody reads any more. */
export type Write = (text: Uint8Array) => Promise<void>;

const nothing: Answer = { chunks: [], found: [], streams: [], reached: 0 };

export class Queries {
  readonly #store: LogStore;
  readonly #thread: URL;
  readonly #log: Log;
  readonly #searchers: Searchers;
  #readers = 0;

  /** `thread` is the file of thread.ts. */
  constructor(store: LogStore, thread: URL, log: Log) {
    this.#store = store;
    this.#thread = thread;
    this.#log = log;
    this.#searchers = new Searchers(thread, SEARCHERS);
  }

  get readers(): number {
    return this.#readers;
  }

  /**
   * Tells all lines of a query, as text of lines: `S ID ISSUER NAME` before the first line of a stream, `L ID TIME TEXT` for each,
   * `H` where those that came before the query end; then, with `follow`, `P POSITION` wherever all that arrived until then was told.
   * Resolves when that is done, or when `signal` is aborted. Throws UserError
   * INVALID for what is no expression, BUSY when there are too many readers.
   */
  async run(query: Query, write: Write, signal: AbortSignal): Promise<void> {
    for (const expression of [query.streams, query.lines]) requireExpression(expression);
    if (this.#readers >= MAX_READERS) {
      throw new UserError('BUSY', 'Too many read logs at this moment.', 'Repeat the command a little later.');
    }
    this.#readers += 1;
    try {
      await this.#read(query, write, signal);
    } finally {
      this.#readers -= 1;
      if (this.#readers === 0) await this.#searchers.rest();
    }
  }

  async #read(query: Query, write: Write, signal: AbortSignal): Promise<void> {
    const store = this.#store;
    const selects = selection(query);
    // Of what is replaced meanwhile, all that he has not seen stays.
    let held = store.hold();
    using _held = { [Symbol.dispose]: () => held[Symbol.dispose]() };
    const { lines: expression, from, to, last, follow } = query;
    const { streams, heads: all, reached: newest } = await store.heads(selects, from, to);
    let reached = query.after ?? newest;
    const heads = query.after === undefined ? all : [];
    const called = (stream: Stream): Stream => ({ ...stream, issuer: query.issuers[stream.issuer] ?? '' });
    const wanted = { expression, from, to };
    const named = streams.map(called);
    const order: Order = { ...wanted, last, follow, streams: named, heads, reached, ahead: 2 * SEARCHERS };
    const told = new Set(streams.map(({ id }) => id));

    const look = async (): Promise<Chunk[]> => {
      const now = store.hold();
      let hasAll = false;
      try {
        const chunks = await store.arrivals(reached, TOGETHER);
        hasAll = chunks.length < TOGETHER;
        return chunks;
      } catch (error) {
        // Waits until it is back.
        if (store.away) return [];
        throw error;
      } finally {
        (hasAll ? held : now)[Symbol.dispose]();
        if (hasAll) held = now;
      }
    };
    const arrivals = async (): Promise<Answer> => {
      for (;;) {
        const changed = Promise.withResolvers<void>();
        using _follower = store.follow(changed.resolve);
        const stop = () => changed.resolve();
        signal.addEventListener('abort', stop, { once: true });
        const chunks = await look();
        reached = chunks.at(-1)?.id ?? reached;
        const selected = chunks.filter(({ stream }) => {
          const found = store.stream(stream);
          return found !== undefined && selects(found);
        });
        if (selected.length > 0) return { ...nothing, chunks: selected, streams: fresh(selected), reached };
        if (chunks.length === 0 && !signal.aborted) await changed.promise;
        signal.removeEventListener('abort', stop);
        if (signal.aborted) return { ...nothing, reached };
      }
    };
    const fresh = (chunks: readonly Chunk[]): Stream[] =>
      [...new Set(chunks.map(({ stream }) => stream))].flatMap((id) => {
        const stream = told.has(id) ? undefined : store.stream(id);
        told.add(id);
        return stream ? called(stream) : [];
      });

    const worker = new Worker(this.#thread, {
      workerData: { order } satisfies ThreadData,
      resourceLimits: { maxOldGenerationSizeMb: 512 },
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const there = async (ids: readonly number[]): Promise<Chunk[]> => {
      const chunks = await store.chunks(ids);
      if (held.isLost) throw cutOff();
      return chunks;
    };
    const answer = async (question: Exclude<FromThread, { type: 'end' }>): Promise<Answer> => {
      switch (question.type) {
        case 'arrivals':
          return await arrivals();
        case 'chunks':
          return { ...nothing, chunks: await there(question.ids) };
        case 'search': {
          const chunks = new Map((await there(question.ids)).map((chunk) => [chunk.id, chunk]));
          const inOrder = question.ids.flatMap((id) => chunks.get(id) ?? []);
          return { ...nothing, found: await this.#searchers.find(inOrder, wanted) };
        }
        case 'text':
          await write(question.text);
          return nothing;
      }
    };
    worker.on('message', (message: FromThread) => {
      if (message.type === 'end') return resolve();
      const { number } = message;
      answer(message).then((told) => {
        worker.postMessage({ ...told, number } satisfies ToThread, transferable(told.found));
      }, reject);
    });
    worker.once('error', reject);
    worker.once('exit', () => resolve());
    const abort = () => resolve();
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    try {
      await promise;
    } catch (error) {
      if (!signal.aborted) this.#log.error('a reader failed', { reason: String(error) });
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
      await worker.terminate();
    }
  }
}

function cutOff(): UserError {
  return new UserError(
    'CONFLICT',
    'So many lines came meanwhile that some of those to be read are gone.',
    'Repeat the command, for a shorter time.',
  );
}

function selection({ issuers, streams }: Query): (stream: Stream) => boolean {
  const pattern = streams === undefined ? undefined : RE2JS.compile(streams);
  const found = new Map<number, boolean>();
  return ({ id, issuer, name }) => {
    const before = found.get(id);
    if (before !== undefined) return before;
    const selected = Object.hasOwn(issuers, issuer) && (pattern?.test(name) ?? true);
    found.set(id, selected);
    return selected;
  };
}

function requireExpression(text: string | undefined): void {
  if (text === undefined || isExpression(text)) return;
  throw new UserError(
    'INVALID',
    `${JSON.stringify(text)} is no regular expression.`,
    'See its rules with: walt help show logs',
  );
}
