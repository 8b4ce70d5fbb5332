/** Reads a log that others write and put aside (log-rotation.ts). */
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { hasErrno } from '../errors.ts';

/** Milliseconds between two looks for what is new. */
const LOOK = 200;
const CHUNK = 256 * 1024;

/** The last lines, of the older parts too where the newest has less; and how many bytes the newest has, for `followLog`. */
export async function lastLines(path: string, count: number): Promise<{ text: string; end: number }> {
  const newest = await readPart(path);
  let text = newest?.toString('utf8') ?? '';
  for (let number = 1; text.split('\n').length <= count + 1; number += 1) {
    const older = await readPart(`${path}.${number}`);
    if (older === undefined) break;
    text = `${older.toString('utf8')}${text}`;
  }
  const lines = text.split('\n').slice(-(count + 1));
  return { text: lines.join('\n'), end: newest?.length ?? 0 };
}

/** What is written after so many bytes, as it comes, until it is aborted; also over the moment when the log is put aside. */
export async function* followLog(path: string, end: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  let offset = end;
  while (!signal.aborted) {
    if ((await sizeOf(path)) < offset) {
      // What was put aside is a copy of what was read here: the rest of it comes first.
      yield* readFrom(`${path}.1`, offset);
      offset = 0;
    }
    for await (const chunk of readFrom(path, offset)) {
      offset += chunk.length;
      yield chunk;
    }
    await delay(LOOK, undefined, { signal }).catch(() => {});
  }
}

async function* readFrom(path: string, start: number): AsyncGenerator<Buffer> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return;
    throw error;
  }
  try {
    for (let offset = start; ; ) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK), 0, CHUNK, offset);
      if (bytesRead === 0) return;
      offset += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function readPart(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return 0;
    throw error;
  }
}
