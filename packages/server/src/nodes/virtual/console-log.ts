import { once } from 'node:events';
import { constants, watch } from 'node:fs';
import { copyFile, stat, truncate } from 'node:fs/promises';
import { hasErrno } from '../../platform/index.ts';

/** Bytes from which on a console's history is put aside: with the older part, it takes twice that at most. */
export const CONSOLE_LOG_LIMIT = 8 * 1024 * 1024;

/** Where the part of a console's history is kept that was put aside. */
export function olderConsoleLog(path: string): string {
  return `${path}.1`;
}

/**
 * Bounds a console's history: once it exceeds `limit` bytes it becomes the older part, in place of the one before, and starts anew.
 * QEMU goes on writing to the same open file (O_APPEND), so the file is copied and emptied rather than renamed; what the
 * guest prints in the microseconds between may be lost. True when it was done.
 */
export async function capConsoleLog(path: string, limit = CONSOLE_LOG_LIMIT): Promise<boolean> {
  try {
    const { size } = await stat(path);
    if (size <= limit) return false;
    await copyFile(path, olderConsoleLog(path), constants.COPYFILE_FICLONE);
    await truncate(path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false; // not started yet, or removed meanwhile
    throw error;
  }
}

/** Bytes of a console's history; 0 when there is none yet. */
export async function consoleLogSize(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return 0;
    throw error;
  }
}

/** True as soon as a console's history is no longer as when it had `size` bytes; false after `limit` milliseconds. */
export async function consoleSpeaks(path: string, size: number, limit: number): Promise<boolean> {
  const watcher = watch(path);
  try {
    if ((await consoleLogSize(path)) === size) {
      await once(watcher, 'change', { signal: AbortSignal.timeout(limit) });
    }
    return true;
  } catch (error) {
    if (error instanceof Error && error.name === 'AbortError') return false;
    throw error;
  } finally {
    watcher.close();
  }
}
