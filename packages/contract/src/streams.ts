/**
 * Byte streams that a request and a response do not fit: WebSockets and plain HTTP bodies beside the RPC
 * calls, on the same socket, with the same `authorization: Bearer TOKEN`.
 *
 * WebSockets: binary messages are data, text messages are JSON (`ClientFrame` up, `ServerFrame` down). A server that
 * has nothing more to send sends `exit` or `error`, then closes.
 */
import * as z from 'zod';
import type { JobEnd } from './jobs.ts';
import { imagePath, imageReference, jobId, nodeName, nodeSet, sessionId } from './schemas.ts';
import { IMAGE_FILES, LOG_IMPORT, LOG_LINES, MAX_LOG_PATTERN, MAX_TERMINAL } from './values/index.ts';

export const streams = {
  /**
   * Raw relay to a TCP port of a node; binary messages only, and `error`. It ends when the node ends its direction; with `both`, the
   * server then says `end`, and the client may go on sending until it ends its own.
   */
  tcp: {
    path: '/stream/tcp',
    query: z.object({
      node: nodeName,
      port: z.coerce.number<number>().int().min(1).max(65_535),
      both: z.literal('yes').optional(),
    }),
  },
  /**
   * Serial console of a node. Starts with what it printed since it was switched on, as far as that is known and not too long. Of its
   * viewers one types: who does first while nobody else does, or who asks for it by the frame `take`; all are told by `writer`.
   */
  console: { path: '/stream/console', query: z.object({ node: nodeName }) },
  /** A job that a call has opened; see jobs.ts for what goes over it. */
  job: {
    path: '/stream/job',
    query: z.object({
      job: z.union([jobId, sessionId]),
      /** Of the client's terminal, for a shell. */
      columns: z.coerce.number<number>().int().min(1).max(MAX_TERMINAL).default(80),
      rows: z.coerce.number<number>().int().min(1).max(MAX_TERMINAL).default(24),
    }),
  },
} as const;

type Stream = (typeof streams)[keyof typeof streams];
export type StreamPath = Stream['path'];
/** What a client asks a stream for. */
export type StreamQuery<Path extends StreamPath> = z.input<Extract<Stream, { path: Path }>['query']>;

/**
 * Plain HTTP: GET answers a tar of `path` with one top entry, or, with `only=kind`, `FileKind` as JSON, links followed; PUT takes a
 * tar to unpack in folder `path`, or, where none is, one whose top entry gets that path, and answers `ImageWritten`.
 */
export const imageFiles = {
  path: IMAGE_FILES,
  query: z.object({
    image: imageReference,
    path: imagePath,
    only: z.literal('kind').optional(),
  }),
} as const;

const time = z.coerce.number<number>().min(0).max(Number.MAX_SAFE_INTEGER);

/**
 * Plain HTTP: GET answers lines that were logged, as text: `S ID ISSUER STREAM` before the first line of a stream, `L ID TIME TEXT` for
 * each line, `H` where those that were there end. TIME is 16 digits, microseconds of Unix time; TEXT any bytes but a newline. Lines
 * that were there are sorted by time; with `follow`, those that come are told as they come, without an end, and `P POSITION` wherever
 * all that came until then was told: who lost his connection goes on there.
 */
export const logLines = {
  path: LOG_LINES,
  query: z.object({
    /** A set of nodes; the platform's own lines have the issuer `walt-server`, which is the set `server`. */
    set: nodeSet,
    /** Regular expressions, in the syntax of RE2. */
    streams: z.string().max(MAX_LOG_PATTERN).optional(),
    lines: z.string().max(MAX_LOG_PATTERN).optional(),
    /** Both included; these three bound what was there already. */
    from: time.default(0),
    to: time.default(Number.MAX_SAFE_INTEGER),
    /** Only so many of the last. */
    last: z.coerce.number<number>().int().min(0).max(1_000_000).optional(),
    follow: z.literal('yes').optional(),
    /** A position: nothing that came before is told. */
    after: z.coerce.number<number>().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
  }),
} as const;

/**
 * Plain HTTP: PUT takes lines of a file, each a JSON object as `walt log export` prints it, and answers `LogImported`. All are
 * checked before one is stored. Throws INVALID that names the number of the first line that is none, FORBIDDEN.
 */
export const logImport = { path: LOG_IMPORT, query: z.object({}) } as const;

/** How many lines of the file became lines of the platform, were so before, and are older than lines are kept. */
export interface LogImported {
  stored: number;
  known: number;
  expired: number;
}

/** All endpoints of plain HTTP. */
export const plain = { imageFiles, logLines, logImport } as const;

export interface FileKind {
  /** Null: nothing is there. */
  kind: 'file' | 'folder' | 'other' | null;
}

export const clientFrame = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('resize'),
    columns: z.int().min(1).max(MAX_TERMINAL),
    rows: z.int().min(1).max(MAX_TERMINAL),
  }),
  /** The client sends no more (`tcp`: TCP's FIN; `job`: its folder, or what its command reads, is complete), and goes on receiving. */
  z.object({ type: z.literal('end') }),
  /** `console`: from now on this client is the one who types. */
  z.object({ type: z.literal('take') }),
]);
export type ClientFrame = z.infer<typeof clientFrame>;

export type ServerFrame =
  | { type: 'end' }
  | WriterFrame
  | ({ type: 'exit' } & JobEnd)
  | { type: 'error'; code: string; message: string; hint: string };

/** `console`: who types now, among all viewers; null: nobody. What others type is dropped. */
export interface WriterFrame {
  type: 'writer';
  user: string | null;
  /** It is this client. */
  you: boolean;
}
