import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { architecture, digestHex, lend } from '@walt/contract';
import * as z from 'zod';
import { type AdapterSet, adapterSets, type Model, models } from '../models/index.ts';
import { hasErrno, type Paths, readIfPresent, sizeIfPresent } from '../platform/index.ts';
import { insidePath, waltImage } from './walt-images/index.ts';

/** Raise it when the files of an image become others for another reason than its boards. */
const FORM = 9;

/** Names what boot files are: which boards images are for, and which adapters' modules are packed, goes into it by itself. */
export function layoutOf(
  boards: readonly Pick<Model, 'name' | 'images' | 'deviceTrees'>[],
  sets: readonly AdapterSet[],
): number {
  const text = JSON.stringify([
    boards.map(({ name, images, deviceTrees }) => [name, images, deviceTrees]),
    sets,
  ]);
  return FORM * 2 ** 32 + crc32(text);
}

/** Files of another layout, as an older server made them, count as missing and are made anew. */
export const LAYOUT = layoutOf(models, adapterSets);

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
  /** All files beside it, by name. */
  files: z.record(z.string(), z.object({ size: z.int(), sha256: z.string() })).default({}),
  architecture,
  kernel: z.string().nullable(),
  /** Of real machines, where that is another one. */
  realKernel: z.string().optional(),
  bootPlan: z.enum(['volumes', 'nfs-root']).nullable(),
  /** Its nodes can prove each block of a volume that comes from a machine which might lie. */
  proves: z.boolean().optional(),
  /** Tells which files of the image the kernel's were made of. */
  sources: z.string().optional(),
  /** Firmware files that its modules name, and what tells them from others. */
  firmware: z.record(z.string(), z.string().nullable()).optional(),
  models: z.array(z.string()),
  lends: z.array(lend).default([]),
  /** Where the image's `/bin` really is, without a leading slash; absent where it can have none. */
  bin: insidePath.optional(),
  loan: loan.optional(),
  /** For an image that brings its own boot scripts. */
  walt: waltImage.optional(),
});
/** `boot.json` of an image: what its boot files are. */
export type BootRecord = z.infer<typeof bootRecord>;

type BootPaths = Pick<Paths, 'bootFiles'>;

/** Folder of an image's boot files. Throws RangeError when `digest` is none. */
export function imageBootFolder(paths: BootPaths, digest: string): string {
  return join(paths.bootFiles, digestHex(digest));
}

/** File of the kernel that machines with such adapters boot, in that folder. */
export function kernelName({ name }: Pick<AdapterSet, 'name'>): string {
  return `vmlinuz-${name}`;
}

/** Undefined: the image was never prepared. */
export async function readBootRecord(paths: BootPaths, digest: string): Promise<BootRecord | undefined> {
  const text = await readIfPresent(join(imageBootFolder(paths, digest), 'boot.json'));
  return text === undefined ? undefined : bootRecord.parse(JSON.parse(text));
}

/** Of what lies in a folder of boot files that is made, for its record. `known`: of some, which are links to another image's. */
export async function describeFiles(
  folder: string,
  known: BootRecord['files'] = {},
): Promise<BootRecord['files']> {
  const files: BootRecord['files'] = {};
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path);
    files[name] = known[name] ?? { size: (await stat(path)).size, sha256: await sha256Of(path) };
  }
  return files;
}

/** What is wrong with the boot files of an image that was prepared: the name of each, and words that follow it. Reads all of them. */
export async function bootFaults(
  digest: string,
  paths: BootPaths,
): Promise<{ name: string; fault: string }[]> {
  const { files = {} } = (await readBootRecord(paths, digest)) ?? {};
  const faults = Object.entries(files).map(async ([name, known]) => {
    const path = join(imageBootFolder(paths, digest), name);
    const size = await sizeIfPresent(path);
    if (size === undefined) return [{ name, fault: 'is missing' }];
    if (size !== known.size) return [{ name, fault: `has ${size} bytes instead of ${known.size}` }];
    return (await sha256Of(path)) === known.sha256 ? [] : [{ name, fault: 'is damaged' }];
  });
  return (await Promise.all(faults)).flat();
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: PIECE })) hash.update(chunk);
  return hash.digest('hex');
}

/** A file as it goes over the network: its length in bytes is known before its first byte is read. */
export interface Download {
  size: number;
  /** To be read to its end, or destroyed. */
  content: Readable;
  /** Over TFTP, no part of it is sent again, however long it is not acknowledged. */
  isSentOnce?: boolean;
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
  try {
    const stats = await file.stat();
    if (stats.isFile()) {
      const size = head.length + stats.size + tail.length;
      return { size, content: new FileBetween(head, file, stats.size, tail) };
    }
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return undefined;
}

/** A file that was made for whoever asks. */
export function downloadOf(bytes: Uint8Array): Download {
  return { size: bytes.length, content: Readable.from([bytes], { objectMode: false }) };
}

const NOTHING = new Uint8Array();
/** Bytes that are read at a time. */
const PIECE = 256 * 1024;

/** A file that is open already, with bytes before and behind it. However it ends, even unread, the file is closed. */
class FileBetween extends Readable {
  readonly #head: Uint8Array;
  readonly #file: FileHandle;
  readonly #size: number;
  readonly #tail: Uint8Array;
  /** Bytes of the file that were read; undefined before the head was. */
  #done: number | undefined;
  /** What runs on the file now: it must not be closed meanwhile. */
  #reading: Promise<unknown> = Promise.resolve();

  /** `size`: bytes of the file that are sent, though it may have grown since. */
  constructor(head: Uint8Array, file: FileHandle, size: number, tail: Uint8Array) {
    super({ highWaterMark: PIECE });
    this.#head = head;
    this.#file = file;
    this.#size = size;
    this.#tail = tail;
    // Who reads hears of it; where nobody does, it must not end the server.
    this.on('error', () => {});
  }

  override _read(): void {
    if (this.#done === undefined) {
      this.#done = 0;
      if (this.#head.length > 0) {
        this.push(this.#head);
        return;
      }
    }
    this.#reading = this.#readPiece(this.#done).catch((error) => this.destroy(error));
  }

  async #readPiece(at: number): Promise<void> {
    const length = Math.min(PIECE, this.#size - at);
    if (length === 0) {
      if (this.#tail.length > 0) this.push(this.#tail);
      this.push(null);
      return;
    }
    const { bytesRead, buffer } = await this.#file.read(Buffer.allocUnsafe(length), 0, length, at);
    if (bytesRead === 0) throw new Error('the file has become shorter while it was sent');
    this.#done = at + bytesRead;
    this.push(buffer.subarray(0, bytesRead));
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#reading
      .then(() => this.#file.close())
      .then(
        () => done(error),
        (failure) => done(error ?? failure),
      );
  }
}
