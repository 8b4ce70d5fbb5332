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

/** Runs `act`; a full disk becomes UserError UNAVAILABLE that says what is safe. */
export async function explainDiskFull<T>(folder: string, safe: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    throw new UserError(
      'UNAVAILABLE',
      `The server's disk is full (${folder}). ${safe}`,
      'Make room on the server, then try again.',
    );
  }
}
