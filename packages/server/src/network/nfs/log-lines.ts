import { watch } from 'node:fs';
import { open, stat } from 'node:fs/promises';

/** Bytes in a file now: where what is written from now on begins. */
export async function sizeOf(path: string): Promise<number> {
  return (await stat(path)).size;
}

/** True once `text` is in the file behind byte `offset`; false when it is not within `limit` milliseconds. */
export async function appears(path: string, offset: number, text: string, limit: number): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const look = async () => {
    if ((await readFrom(path, offset)).includes(text)) resolve(true);
  };
  const watcher = watch(path, () => look().catch(reject));
  watcher.on('error', reject);
  const timer = setTimeout(() => resolve(false), limit);
  look().catch(reject); // it may have been written before the watch began
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    watcher.close();
  }
}

async function readFrom(path: string, offset: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const length = Math.max(0, size - offset);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
