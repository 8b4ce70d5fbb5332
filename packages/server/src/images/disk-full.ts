import { DiskFull, hasErrno, isExternalError } from '../platform/index.ts';

/** True when the error, ours or an outside program's, is that no space is left. */
export function isDiskFull(error: unknown): boolean {
  if (hasErrno(error, 'ENOSPC', 'EDQUOT')) return true;
  const text = isExternalError(error) ? error.output : '';
  // buildah tells of the pipe that was closed when its temporary file could not be written, and not why it could not.
  return /no space left on device|disk quota exceeded|storing layer .* to file: io: .*closed pipe/i.test(
    text,
  );
}

/** Runs `act`; a full disk becomes DiskFull that says what is safe. */
export async function explainDiskFull<T>(folder: string, safe: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof DiskFull || !isDiskFull(error)) throw error;
    throw new DiskFull(folder, safe);
  }
}
