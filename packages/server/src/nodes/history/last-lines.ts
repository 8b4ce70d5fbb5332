import { open } from 'node:fs/promises';
import { hasErrno } from '../../platform/index.ts';

/** Bytes that are read from a console's end, lines that are kept of them, and characters of each. */
const MOST = 8192;
const LINES = 12;
const LENGTH = 200;

/** What a console printed last, as text; nothing where there is no such file. */
export async function lastLines(path: string): Promise<string[]> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - MOST);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(MOST), 0, MOST, start);
    return linesOf(buffer.toString('utf8', 0, bytesRead), start > 0);
  } finally {
    await file.close();
  }
}

const ESC = '\u001b';
const BEL = '\u0007';
/** What steers a terminal (ECMA-48, 5.4 and 5.6, and ECMA-35, 13.2.1): a sequence, or a single control character. */
const STEERING = new RegExp(
  String.raw`${ESC}(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^${BEL}${ESC}]*(?:${BEL}|${ESC}\\)?|[ -/]*[0-~])|(?!\n)\p{Cc}`,
  'gu',
);

/** Pure. The last lines that say something, without what steers a terminal. `isCut`: the first one lacks its begin. */
export function linesOf(text: string, isCut: boolean): string[] {
  const lines = text.split('\n').slice(isCut ? 1 : 0);
  return lines
    .map((line) => line.replace(STEERING, '').trimEnd().slice(0, LENGTH))
    .filter((line) => line !== '')
    .slice(-LINES);
}
