import { readFile } from 'node:fs/promises';

/** How many user ids exist here: one more than the highest of this namespace. */
export async function countUserIds(): Promise<number> {
  return idsIn(await readFile('/proc/self/uid_map', 'utf8'));
}

/** Of lines of `FIRST OUTSIDE COUNT` (user_namespaces(7)). */
export function idsIn(uidMap: string): number {
  const ends = uidMap
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([first = 0, , count = 0]) => first + count);
  return Math.max(0, ...ends);
}
