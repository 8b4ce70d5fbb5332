/** Disks in pieces: a file system of gigabytes in which little has changed is copied by what has changed. */
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { digest } from '@walt/contract';
import * as z from 'zod';
import { streamProgram } from '../platform/index.ts';
import type { Blobs } from './blobs.ts';
import type { Blob } from './generation.ts';

/** Bytes of a piece. Small, since a file system writes a few blocks here and there; not too small, since each is a file. */
export const PIECE = 1024 * 1024;

/** Those that hold something: offset as a number of pieces, bytes, digest. */
const list = z.array(z.tuple([z.int().min(0), z.int().min(1).max(PIECE), digest]));

export interface Piece {
  /** Bytes from the beginning of the disk. */
  at: number;
  blob: Blob;
}

/** Takes a disk apart; answers its list of pieces. */
export async function savePieces(
  path: string,
  blobs: Pick<Blobs, 'putBytes'>,
  onBytes: (done: number) => void,
): Promise<Blob> {
  await using file = await open(path, 'r');
  const { size } = await file.stat();
  const buffer = Buffer.alloc(PIECE);
  const pieces: z.infer<typeof list> = [];
  for (const index of await filledPieces(path, size)) {
    const piece = buffer.subarray(0, await readPiece(file, buffer, index * PIECE));
    if (piece.length > 0 && !isEmpty(piece)) {
      const blob = await blobs.putBytes(piece);
      pieces.push([index, blob.size, blob.digest]);
    }
    onBytes(index * PIECE + piece.length);
  }
  return blobs.putBytes(Buffer.from(JSON.stringify(pieces)));
}

/** What a list says that lies in the file `path`. */
export async function piecesOf(path: string): Promise<Piece[]> {
  const pieces = list.parse(JSON.parse(await readFile(path, 'utf8')));
  return pieces.map(([index, size, digest]) => ({ at: index * PIECE, blob: { digest, size } }));
}

/** Puts a disk together in the file `path`, which is new. */
export async function joinPieces(
  path: string,
  size: number,
  pieces: readonly Piece[],
  blobs: Blobs,
): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  await file.truncate(size);
  for (const { at, blob } of pieces) {
    const bytes = await readFile(blobs.path(blob.digest));
    for (let done = 0; done < bytes.length; ) {
      done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
    }
  }
  await file.sync();
}

/** Numbers of the pieces in which something may lie: a disk of 10 GB has mostly holes. All, where the file system does not tell. */
async function filledPieces(path: string, size: number): Promise<Iterable<number>> {
  const argv = ['filefrag', '-s', '-v', `-b${BLOCK}`, '--', path];
  const { stdout, ended } = streamProgram(argv, { env: { LC_ALL: 'C' }, accept: 'any' });
  const filled = await piecesOfExtents(stdout.setEncoding('latin1'), size);
  return ((await ended) === 0 ? filled : undefined) ?? Array(Math.ceil(size / PIECE)).keys();
}

const BLOCK = 4096;

const EXTENT = /^ *(\d+): +(\d+)\.\. +(\d+):(.*)$/;

/**
 * Numbers of the pieces that lie in the extents which filefrag prints of a file; undefined where it is not sure that these are all.
 * Its last line does not tell how many they are: those that lie as far apart on the disk as in the file count there as one. Nothing else
 * is kept of them: whoever writes into a disk makes millions.
 */
export async function piecesOfExtents(
  told: AsyncIterable<string>,
  size: number,
): Promise<number[] | undefined> {
  const extents = new Extents();
  let rest = '';
  for await (const part of told) {
    const lines = (rest + part).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) extents.take(line);
  }
  return extents.pieces(size);
}

class Extents {
  readonly #filled = new Set<number>();
  #count = 0;
  #isWhole = true;
  #hasEnd = false;

  take(line: string): void {
    const [, number, first, last, flags = ''] = EXTENT.exec(line) ?? [];
    if (number === undefined) {
      if (this.#count === 0) this.#hasEnd = line.endsWith(' 0 extents found');
      return;
    }
    this.#isWhole &&= Number(number) === this.#count;
    this.#hasEnd = /[ ,]last(,|$)/.test(flags);
    this.#count += 1;
    const end = Math.floor((Number(last) * BLOCK) / PIECE);
    for (let index = Math.floor((Number(first) * BLOCK) / PIECE); index <= end; index += 1)
      this.#filled.add(index);
  }

  pieces(size: number): number[] | undefined {
    if (!this.#isWhole || !this.#hasEnd) return undefined;
    return [...this.#filled].filter((index) => index * PIECE < size).sort((a, b) => a - b);
  }
}

async function readPiece(file: FileHandle, buffer: Buffer, at: number): Promise<number> {
  let done = 0;
  while (done < buffer.length) {
    const { bytesRead } = await file.read(buffer, done, buffer.length - done, at + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

const EMPTY = Buffer.alloc(PIECE);

function isEmpty(piece: Buffer): boolean {
  return piece.equals(EMPTY.subarray(0, piece.length));
}
