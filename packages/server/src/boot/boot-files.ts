import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { architecture, digest as digestSchema, lend } from '@walt/contract';
import { z } from 'zod';
import { hasErrno, type Paths, readIfPresent } from '../platform/index.ts';
import { insidePath } from './inside-path.ts';
import { waltImage } from './walt-image.ts';

/** Raise it when the files of an image become others: those of an older server then count as missing, and are made anew. */
export const LAYOUT = 3;

/** Something that the identity layer holds for an image that lacks it. `path` without a leading slash. */
const lentFile = z.discriminatedUnion('type', [
  z.object({ type: z.literal('file'), path: insidePath, mode: z.number(), content: z.string() }),
  z.object({ type: z.literal('folder'), path: insidePath, mode: z.number() }),
  z.object({ type: z.literal('link'), path: insidePath, target: z.string() }),
]);
export type LentFile = z.infer<typeof lentFile>;

/** What nodes get beside an image's layers, where it lacks something. */
const loan = z.object({
  /** File names in the volumes folder, top first. */
  volumes: z.array(z.string()),
  files: z.array(lentFile),
});
export type Loan = z.infer<typeof loan>;

const bootRecord = z.object({
  layout: z.number(),
  architecture,
  kernel: z.string().nullable(),
  bootPlan: z.enum(['volumes', 'nfs-root']).nullable(),
  /** Tells which files of the image the kernel's were made of. */
  sources: z.string().optional(),
  models: z.array(z.string()),
  lends: z.array(lend).default([]),
  loan: loan.optional(),
  /** For an image that brings its own boot scripts. */
  walt: waltImage.optional(),
});
/** `boot.json` of an image: what its boot files are. */
export type BootRecord = z.infer<typeof bootRecord>;

type BootPaths = Pick<Paths, 'bootFiles'>;

/** Folder of an image's boot files. Throws ZodError when `digest` is none. */
export function imageBootFolder(paths: BootPaths, digest: string): string {
  return join(paths.bootFiles, digestSchema.parse(digest).slice('sha256:'.length));
}

/** Undefined: the image was never prepared. */
export async function readBootRecord(paths: BootPaths, digest: string): Promise<BootRecord | undefined> {
  const text = await readIfPresent(join(imageBootFolder(paths, digest), 'boot.json'));
  return text === undefined ? undefined : bootRecord.parse(JSON.parse(text));
}

/** A file as it goes over the network: its length in bytes is known before its first byte is read. */
export interface Download {
  size: number;
  /** Call it once, or `discard`. */
  stream(): Readable;
  discard(): Promise<void>;
}

/** Opens one file of an image, to be sent between two others; undefined when there is no such file. */
export async function openDownload(
  path: string,
  { head = NOTHING, tail = NOTHING }: { head?: Uint8Array; tail?: Uint8Array } = {},
): Promise<Download | undefined> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
  const stats = await file.stat();
  if (!stats.isFile()) {
    await file.close();
    return undefined;
  }
  const { size } = stats;
  return {
    size: head.length + size + tail.length,
    stream: () => {
      const middle = file.createReadStream({ highWaterMark: 256 * 1024 });
      return Readable.from(concatenate(head, middle, tail), { objectMode: false });
    },
    discard: () => file.close(),
  };
}

/** A file that was made for whoever asks. */
export function downloadOf(bytes: Uint8Array): Download {
  return {
    size: bytes.length,
    stream: () => Readable.from([bytes], { objectMode: false }),
    discard: async () => {},
  };
}

const NOTHING = new Uint8Array();

async function* concatenate(head: Uint8Array, middle: AsyncIterable<Uint8Array>, tail: Uint8Array) {
  yield head;
  yield* middle;
  yield tail;
}
