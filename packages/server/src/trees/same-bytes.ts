import type { FileHandle } from 'node:fs/promises';

/** Whether two files have the same content from where they stand on. */
export async function sameBytes(one: FileHandle, other: FileHandle): Promise<boolean> {
  const [left, right] = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)];
  for (;;) {
    const [x, y] = await Promise.all([one.read(left, 0, CHUNK), other.read(right, 0, CHUNK)]);
    if (x.bytesRead !== y.bytesRead) return false;
    if (x.bytesRead === 0) return true;
    if (left.compare(right, 0, x.bytesRead, 0, x.bytesRead) !== 0) return false;
  }
}

/** Bytes that are read at once. */
const CHUNK = 256 * 1024;
