import type { Client } from '@walt/contract';
import { LAST_LINES } from '@walt/contract/values/logs';
import { type Range, readMoment, readRange } from './range.ts';

/** Reads a range, which may name checkpoints. */
export async function rangeOf(client: Client, text: string): Promise<Range> {
  return readRange(text, now(), await checkpointsFor(client, text));
}

interface Past {
  count?: number | undefined;
  history?: string | undefined;
  realtime?: true | undefined;
}

/** How many of the lines of the past are printed; undefined: all of them. */
export function pastOf({ count, history, realtime }: Past): number | undefined {
  return count ?? (history !== undefined ? undefined : realtime ? 0 : LAST_LINES);
}

/** Reads a moment, in microseconds of Unix time. */
export function momentOf(text: string): number {
  return readMoment(text, now(), new Map());
}

export function now(): number {
  return Date.now() * 1000;
}

async function checkpointsFor(client: Client, text: string): Promise<ReadonlyMap<string, number>> {
  if (text === 'full') return new Map();
  return new Map((await client.log.checkpoints()).map(({ name, at }) => [name, at]));
}
