/** Room on the server's disk: a part of it stays free for the platform itself. */
import { statfs } from 'node:fs/promises';
import { UserError } from '../errors.ts';
import { fileExists } from '../files.ts';
import { attempt } from '../programs/index.ts';

/** What stays free unless server.conf says otherwise, as a share of the disk and in bytes: the smaller counts. */
const RESERVE = { share: 0.02, bytes: 512 * 1024 * 1024 };

/** Part of the reserve that is left when a save has taken from it. */
const KEPT_FROM_SAVES = 1 / 4;

export interface Disk {
  /** Bytes. */
  size: number;
  used: number;
  /** Bytes that are left for the server, its reserve among them. */
  free: number;
  /** Bytes that stay free. */
  reserved: number;
}

/** The disk that `folder` lies on. `reserved`: bytes, as server.conf has them. */
export async function diskOf(folder: string, reserved?: number): Promise<Disk> {
  const { bsize, bavail, bfree, blocks } = await statfs(folder);
  const size = bsize * blocks;
  return {
    ...{ size, used: bsize * (blocks - bfree), free: bsize * bavail },
    reserved: reserved ?? Math.min(size * RESERVE.share, RESERVE.bytes),
  };
}

/** Bytes that users may still write there. */
export async function roomIn(folder: string, reserved?: number): Promise<number> {
  const disk = await diskOf(folder, reserved);
  return Math.max(0, disk.free - disk.reserved);
}

/** As `roomIn`, for what was worked for already, and gives room back once it is saved. */
export async function roomForSaves(folder: string, reserved?: number): Promise<number> {
  const disk = await diskOf(folder, reserved);
  return Math.max(0, disk.free - disk.reserved * KEPT_FROM_SAVES);
}

/** The server's disk is full, or would be. Who hears of it is told who uses it (api/disk-users.ts). */
export class DiskFull extends UserError {
  /** `safe` says what was not lost. */
  constructor(folder: string, safe: string) {
    super('UNAVAILABLE', `The server's disk is full (${folder}). ${safe}`, MAKE_ROOM);
  }

  /** The same with one more sentence. */
  naming(sentence: string): UserError {
    return Object.assign(new UserError(this.code, `${this.message} ${sentence}`.trimEnd(), this.hint), {
      cause: this.cause,
    });
  }
}

const MAKE_ROOM =
  'Make room: remove images (walt image remove), their older versions (walt image prune) or nodes, then try again. See all that takes it: walt advanced disk-usage';

/** Milliseconds for a walk over all that the platform has. */
const WALK_LIMIT = 120_000;

/** Bytes that these folders and files take on disk, without what is mounted in them; a file with several names counts once. */
export async function diskUse(places: readonly string[]): Promise<number> {
  const there = await Promise.all(places.map(fileExists));
  const found = places.filter((_, at) => there[at]);
  if (found.length === 0) return 0;
  const argv = ['du', '--summarize', '--total', '--one-file-system', '--block-size=1', '--', ...found];
  // What somebody removes meanwhile is told as a failure, and all else is counted.
  const { stdout } = await attempt(argv, { timeout: WALK_LIMIT });
  return Number(/(\d+)\t.*\n$/.exec(stdout)?.[1] ?? 0);
}
