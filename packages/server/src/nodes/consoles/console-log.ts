import { rm, stat, truncate } from 'node:fs/promises';
import { hasErrno, rotateLog } from '../../platform/index.ts';

/** Bytes from which on a console's history is put aside: with the older part, it takes twice that at most. */
export const CONSOLE_LOG_LIMIT = 8 * 1024 * 1024;
/** Bytes up to which it waits for its lines to be stored before. */
export const CONSOLE_LOG_PATIENCE = 4 * CONSOLE_LOG_LIMIT;

/** Where the part of a console's history is kept that was put aside. */
export function olderConsoleLog(path: string): string {
  return `${path}.1`;
}

/** Bytes of a console's history; none where there is no such file. */
export async function consoleLogSize(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return 0;
    throw error;
  }
}

/**
 * Bounds a console's history: once it exceeds `limit` bytes it becomes the older part, in place of the one before, and starts anew.
 * What the guest prints in the microseconds between may be lost. True when it was done.
 */
export async function capConsoleLog(path: string, limit = CONSOLE_LOG_LIMIT): Promise<boolean> {
  try {
    return await rotateLog(path, { size: limit, keep: 1 });
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false; // removed meanwhile
    throw error;
  }
}

/** Deletes a console's history; QEMU goes on writing to the same open file. */
export async function clearConsoleLog(path: string): Promise<void> {
  await rm(olderConsoleLog(path), { force: true });
  try {
    await truncate(path);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error; // a node without one, or not started yet
  }
}
