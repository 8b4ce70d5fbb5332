import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { digestHex } from '@walt/contract';
import {
  hasErrno,
  inParallel,
  namesIn,
  type RoomGuard,
  sizeIfPresent,
  syncFolder,
} from '../platform/index.ts';
import type { Blob } from './generation.ts';

/** Bytes that may wait for the disk before they get their names. */
const MAX_PENDING = 256 * 1024 * 1024;
/** Bytes after which the room is looked at again. */
const LOOK = 64 * 1024 * 1024;
/** Files that are flushed at a time. */
const FLUSHES = 16;
/** Bytes that are read at a time. */
const PIECE = 1024 * 1024;

/**
 * Contents by digest, `HH/HEX`, so that what several backups have is there once. What has its name is whole and on disk: until then,
 * it lies among the incoming.
 */
export class Blobs {
  readonly #folder: string;
  readonly #incoming: string;
  /** Temporary files by digest: whole, but maybe not on disk yet. */
  readonly #pending = new Map<string, { file: string; size: number }>();
  #pendingBytes = 0;
  #room: RoomGuard | undefined;
  /** Bytes that were not there before. */
  added = 0;

  constructor(folder: string) {
    this.#folder = join(folder, 'blobs');
    this.#incoming = join(folder, 'incoming');
  }

  /** For a backup: makes its folders, and removes what a killed one left. Nobody else may write. */
  async prepare(): Promise<void> {
    await rm(this.#incoming, { recursive: true, force: true });
    for (const folder of [this.#incoming, this.#folder])
      await mkdir(folder, { recursive: true, mode: 0o700 });
  }

  /** From now on, no more is taken than that leaves. */
  keepRoom(room: RoomGuard): void {
    this.#room = room;
  }

  path(digest: string): string {
    const hex = digestHex(digest);
    return join(this.#folder, hex.slice(0, 2), hex);
  }

  /** Whether it is there with that size. Its content was looked at when it came: `fault` does it again. */
  async has({ digest, size }: Blob): Promise<boolean> {
    if (this.#pending.has(digest)) return true;
    return (await sizeIfPresent(this.path(digest))) === size;
  }

  /** Takes bytes as they come, however many. */
  async put(chunks: AsyncIterable<Uint8Array>, onBytes: (done: number) => void = () => {}): Promise<Blob> {
    const temporary = join(this.#incoming, randomBytes(8).toString('hex'));
    const hash = createHash('sha256');
    let [size, looked] = [0, 0];
    await this.#room?.require();
    await using file = await open(temporary, 'wx', 0o600);
    for await (const chunk of chunks) {
      if (size - looked > LOOK) {
        await this.#room?.require();
        looked = size;
      }
      hash.update(chunk);
      await writeAll(file, chunk);
      size += chunk.length;
      onBytes(size);
    }
    const blob = { digest: `sha256:${hash.digest('hex')}`, size };
    await this.#take(temporary, blob);
    return blob;
  }

  async putBytes(bytes: Uint8Array): Promise<Blob> {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    const blob = { digest, size: bytes.length };
    if (await this.has(blob)) return blob;
    return this.put(once(bytes));
  }

  putFile(path: string, onBytes?: (done: number) => void): Promise<Blob> {
    return this.put(createReadStream(path, { highWaterMark: PIECE }), onBytes);
  }

  /** Gives all that came their names, once it is on disk. */
  async commit(): Promise<void> {
    if (this.#pending.size === 0) return;
    // Side by side, the disk's journal flushes many at once.
    await inParallel(this.#pending.values(), FLUSHES, ({ file }) => syncFile(file));
    const folders = new Set<string>();
    for (const [digest, { file }] of this.#pending) {
      const path = this.path(digest);
      const folder = join(path, '..');
      if (!folders.has(folder)) await mkdir(folder, { recursive: true, mode: 0o700 });
      folders.add(folder);
      await rename(file, path);
    }
    for (const folder of [...folders, this.#folder]) await syncFolder(folder);
    this.#pending.clear();
    this.#pendingBytes = 0;
  }

  /** What is wrong with it, in words that follow its name; undefined: it is whole. */
  async fault(
    { digest, size }: Blob,
    onBytes: (bytes: number) => void = () => {},
  ): Promise<string | undefined> {
    const path = this.path(digest);
    try {
      const found = await sizeIfPresent(path);
      if (found === undefined) return 'is missing';
      if (found !== size) return `has ${found} bytes, not ${size}`;
      const hash = createHash('sha256');
      for await (const chunk of createReadStream(path, { highWaterMark: PIECE }) as AsyncIterable<Buffer>) {
        hash.update(chunk);
        onBytes(chunk.length);
      }
      return `sha256:${hash.digest('hex')}` === digest ? undefined : 'has another content';
    } catch (error) {
      if (hasErrno(error, 'EIO')) return 'cannot be read';
      throw error;
    }
  }

  /** Removes all but these. Answers how many bytes that were. */
  async keepOnly(digests: ReadonlySet<string>): Promise<number> {
    let removed = 0;
    for (const folder of await namesIn(this.#folder)) {
      for (const hex of await namesIn(join(this.#folder, folder))) {
        if (digests.has(`sha256:${hex}`)) continue;
        const path = join(this.#folder, folder, hex);
        removed += (await sizeIfPresent(path)) ?? 0;
        await rm(path, { force: true });
      }
    }
    return removed;
  }

  async #take(temporary: string, blob: Blob): Promise<void> {
    if (await this.has(blob)) {
      await rm(temporary);
      return;
    }
    this.#pending.set(blob.digest, { file: temporary, size: blob.size });
    this.#pendingBytes += blob.size;
    this.added += blob.size;
    if (this.#pendingBytes > MAX_PENDING) await this.commit();
  }
}

async function syncFile(path: string): Promise<void> {
  await using file = await open(path, 'r+');
  await file.sync();
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
