/** What a query's thread and the program say to each other. */
import type { Chunk, ChunkHead } from './store.ts';
import type { Stream } from './stream-list.ts';

/** The thread's order. */
export interface Order {
  /** RE2's syntax; undefined: all lines. */
  expression?: string | undefined;
  /** Microseconds of Unix time, both included. */
  from: number;
  to: number;
  /** Only so many of the last. */
  last?: number | undefined;
  /** By their first line. */
  heads: ChunkHead[];
  streams: Stream[];
  /** Whether lines that come are told, too. */
  follow: boolean;
  /** The last chunk that had arrived then. */
  reached: number;
}

export type Question =
  | { type: 'chunks'; ids: number[] }
  /** Those that arrive, as soon as there are any. */
  | { type: 'arrivals' }
  /** To be written; answered when there is room for more. */
  | { type: 'text'; text: Uint8Array };

/** `streams` are those that were not told before; `reached` is the last chunk that has arrived by now. */
export type Answer = { chunks: Chunk[]; streams: Stream[]; reached: number };

export type FromThread = Question | { type: 'end' };
