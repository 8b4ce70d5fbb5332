import { statfs } from 'node:fs/promises';
import { UserError } from '../platform/index.ts';

/** Throws UserError UNAVAILABLE, with the next step, unless a copy of `bytes` has room on the disk of `folder`. */
export async function requireRoom(folder: string, bytes: number, what: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const lacking = bytes - bavail * bsize;
  if (lacking <= 0) return;
  throw new UserError(
    'UNAVAILABLE',
    `${what} must be copied once, and the disk of ${folder} has no room for it: ${mebibytes(lacking)} are lacking.`,
    'Make room there, then start the platform again. Nothing was changed.',
  );
}

export function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)} MiB`;
}
