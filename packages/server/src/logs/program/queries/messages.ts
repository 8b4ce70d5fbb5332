/** What threads and the program say to each other. */
import type { Chunk, ChunkHead } from '../chunk-reads.ts';
import type { Stream } from '../stream-list.ts';

/** Of a thread of a reader: its order. Of one that searches: none. */
export interface ThreadData {
  order: Order | undefined;
}

/** What lines must match (RE2's syntax; undefined: all are meant), and times that bound them, in microseconds, both included. */
export interface Wanted {
  expression?: string | undefined;
  from: number;
  to: number;
}

export interface Order extends Wanted {
  /** Only so many of the last. */
  last?: number | undefined;
  /** By their first line. */
  heads: ChunkHead[];
  streams: Stream[];
  /** Whether lines that come are told, too. */
  follow: boolean;
  /** The last chunk that had arrived then. */
  reached: number;
  /** Portions that are searched for one reader at the same time. */
  ahead: number;
}

export type Question =
  | { type: 'chunks'; ids: number[] }
  /** What is wanted of these chunks, found by other threads. */
  | { type: 'search'; ids: number[] }
  /** Chunks that arrive, as soon as there are any. */
  | { type: 'arrivals' }
  /** To be written; answered when there is room for more. */
  | { type: 'text'; text: Uint8Array };

/** Lines of a chunk as chunk.ts has them. */
export interface FoundLines {
  stream: number;
  text: Uint8Array;
}

/** `streams` are those that were not told before; `reached` is the last chunk that has arrived by now. */
export interface Answer {
  chunks: Chunk[];
  found: FoundLines[];
  streams: Stream[];
  reached: number;
}

/** Several questions may be open: an answer has the number of its question. */
export type FromThread = (Question & { number: number }) | { type: 'end' };
export type ToThread = Answer & { number: number };

/** To a thread that searches, and from it: found lines in the order of the chunks. */
export type SearchTask = { chunks: Chunk[]; wanted: Wanted };
export type SearchResult = { found: FoundLines[] };
