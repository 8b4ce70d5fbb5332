/**
 * Byte streams that a request and a response do not fit: WebSockets and plain HTTP bodies beside the RPC
 * calls, on the same socket, with the same `authorization: Bearer TOKEN`.
 *
 * WebSockets: binary messages are data, text messages are JSON (`ClientFrame` up, `ServerFrame` down). A server that
 * has nothing more to send sends `exit` or `error`, then closes.
 */
import { z } from 'zod';
import type { LostChange } from './saved.ts';
import { imageName, imagePath, imageReference, nodeName, sessionId, ticket } from './schemas.ts';
import { IMAGE_FILES, MAX_TERMINAL } from './values/index.ts';

/** Characters of a command with all its words, as JSON: it travels in the head of a request. */
const MAX_COMMAND = 32_768;

export const streams = {
  /** Raw relay to a TCP port of a node; binary messages only, and `error`. */
  tcp: {
    path: '/stream/tcp',
    query: z.object({ node: nodeName, port: z.coerce.number<number>().int().min(1).max(65_535) }),
  },
  /** Serial console of a virtual node. Starts with the last kilobytes that it printed. */
  console: { path: '/stream/console', query: z.object({ node: nodeName }) },
  /** Terminal of an image shell session; `exit` carries the shell's status. */
  imageShell: {
    path: '/stream/image-shell',
    query: z.object({
      session: sessionId,
      columns: z.coerce.number<number>().int().min(1).max(MAX_TERMINAL),
      rows: z.coerce.number<number>().int().min(1).max(MAX_TERMINAL),
    }),
  },
  /** One build for another CPU; see cross.ts for what goes over it. */
  imageCross: { path: '/stream/image-cross', query: z.object({ ticket }) },
  /** One build from a Dockerfile; see build.ts for what goes over it. */
  imageBuild: { path: '/stream/image-build', query: z.object({ ticket }) },
  /**
   * A command in an image, without a terminal. Up: what it reads. Down: what it prints, each message with one byte in front that
   * tells where (`outputChannels`); an empty message comes first, when the command starts: send no input before. `exit` carries its
   * status and, with `saveAs` and status 0, what was saved. When the WebSocket closes earlier, the command is killed and nothing
   * is kept. CONFIRM when `saveAs` is another image of the caller's and `yes` is not given.
   */
  imageRun: {
    path: '/stream/image-run',
    query: z.object({
      image: imageReference,
      /** A JSON array of words: the program and its arguments. */
      command: z
        .string()
        .max(MAX_COMMAND, { error: 'is too long: put it in a file and pass that as input' })
        .pipe(commandWords()),
      /** A name in the caller's set. */
      saveAs: imageName.optional(),
      yes: z
        .enum(['true', 'false'])
        .default('false')
        .transform((text) => text === 'true'),
    }),
  },
} as const;

type Stream = (typeof streams)[keyof typeof streams];
export type StreamPath = Stream['path'];
/** What a client asks a stream for. */
export type StreamQuery<Path extends StreamPath> = z.input<Extract<Stream, { path: Path }>['query']>;

function commandWords() {
  const word = z
    .string()
    .refine((text) => !text.includes('\0'), { error: 'must not contain a NUL character' });
  return z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: 'custom', message: 'must be a JSON array of words' });
        return z.NEVER;
      }
    })
    .pipe(
      z
        .array(word)
        .min(1)
        .refine(([program]) => program !== '', { error: 'must name a program' }),
    );
}

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

/** All endpoints of plain HTTP. */
export const plain = { imageFiles } as const;

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
  /** The client sends no more (`tcp` and `imageRun`: TCP's FIN; `imageCross`, `imageBuild`: its folder is complete), and goes on receiving. */
  z.object({ type: z.literal('end') }),
]);
export type ClientFrame = z.infer<typeof clientFrame>;

/** What became of an image by `imageRun` with `saveAs`. */
export interface SavedRun {
  /** `owner/name`. */
  image: string;
  digest: string;
  /** False when the command changed nothing: the name points to what the command ran in. */
  changed: boolean;
  /** What was not saved. */
  lost: LostChange[];
  /** Nodes that boot this name and still run an older digest. */
  nodes: string[];
}

export type ServerFrame =
  /** `note`: what the user should know of its end, in a sentence. */
  | { type: 'exit'; status: number; saved?: SavedRun; note?: string }
  | { type: 'error'; code: string; message: string; hint: string };
