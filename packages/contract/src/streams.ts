/**
 * Byte streams that a request and a response do not fit: WebSockets and plain HTTP bodies beside the RPC
 * calls, on the same socket, with the same `authorization: Bearer TOKEN`.
 *
 * WebSockets: binary messages are data, text messages are JSON (`ClientFrame` up, `ServerFrame` down). A server that
 * has nothing more to send sends `exit` or `error`, then closes.
 */
import { z } from 'zod';
import { ticket } from './cross.ts';
import { imageReference, nodeName } from './names.ts';

export const streams = {
  /** Raw relay to a TCP port of a node; binary messages only, and `error`. */
  tcp: {
    path: '/stream/tcp',
    query: z.object({ node: nodeName, port: z.coerce.number().int().min(1).max(65_535) }),
  },
  /** Serial console of a virtual node. Starts with the last kilobytes that it printed. */
  console: { path: '/stream/console', query: z.object({ node: nodeName }) },
  /** Terminal of an image shell session; `exit` carries the shell's status. */
  imageShell: {
    path: '/stream/image-shell',
    query: z.object({
      session: z.string().regex(/^[0-9a-f]{16}$/),
      columns: z.coerce.number().int().min(1).max(1000),
      rows: z.coerce.number().int().min(1).max(1000),
    }),
  },
  /** One build for another CPU; see cross.ts for what goes over it. */
  imageCross: { path: '/stream/image-cross', query: z.object({ ticket }) },
} as const;

/** Plain HTTP: GET answers a tar of `path`; PUT takes a tar to unpack in folder `path`, and answers `ImageWritten`. */
export const imageFiles = {
  path: '/image-files',
  query: z.object({
    image: imageReference,
    path: z.string().min(1).max(4096).startsWith('/', { error: 'must be an absolute path' }),
  }),
} as const;

export const clientFrame = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('resize'),
    columns: z.int().min(1).max(1000),
    rows: z.int().min(1).max(1000),
  }),
  /** The client sends no more (`tcp`: TCP's FIN; `imageCross`: its folder is complete), and goes on receiving. */
  z.object({ type: z.literal('end') }),
]);
export type ClientFrame = z.infer<typeof clientFrame>;

export type ServerFrame =
  | { type: 'exit'; status: number }
  | { type: 'error'; code: string; message: string; hint: string };
