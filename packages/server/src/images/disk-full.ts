import { statfs } from 'node:fs/promises';
import { hasErrno, isExternalError, UserError } from '../platform/index.ts';

/** True when the error, ours or an outside program's, is that no space is left. */
export function isDiskFull(error: unknown): boolean {
  if (hasErrno(error, 'ENOSPC', 'EDQUOT')) return true;
  const text = isExternalError(error) ? error.output : '';
  // buildah tells of the pipe that was closed when its temporary file could not be written, and not why it could not.
  return /no space left on device|disk quota exceeded|storing layer .* to file: io: .*closed pipe/i.test(
    text,
  );
}

/** The server's disk is full, or would be. */
export class DiskFull extends UserError {
  /** `safe` says what was not lost. */
  constructor(folder: string, safe: string) {
    const message = `The server's disk is full (${folder}). ${safe}`;
    super('UNAVAILABLE', message, 'Make room on the server, then try again.');
  }
}

/** Runs `act`; a full disk becomes UserError UNAVAILABLE that says what is safe. */
export async function explainDiskFull<T>(folder: string, safe: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    throw new DiskFull(folder, safe);
  }
}

/** What stays free for the server itself, as a share of the disk and in bytes: the smaller counts. */
const RESERVE = { share: 0.02, bytes: 512 * 1024 * 1024 };

/** Bytes that may still be written in `folder`'s file system. */
export async function roomIn(folder: string): Promise<number> {
  const { bsize, bavail, blocks } = await statfs(folder);
  return Math.max(0, bsize * (bavail - Math.min(blocks * RESERVE.share, RESERVE.bytes / bsize)));
}
