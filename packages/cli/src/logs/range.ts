/**
 * Folder `logs/`: lines that nodes and the platform log: which of them, and how they are printed.
 *
 * This file: ranges of time, as users write them: `full`, or `[START]:[END]`, each a moment.
 */
import { AbortError } from '@walt/client/errors';

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** Microseconds of Unix time, both included; undefined: no bound. */
export interface Range {
  from?: number | undefined;
  to?: number | undefined;
}

/** A moment is `-5m` (before `now`), `2026-11-28`, `2026-11-28T10:00:00` (with a blank, too), or the name of a checkpoint. */
export function readMoment(text: string, now: number, checkpoints: ReadonlyMap<string, number>): number {
  const known = checkpoints.get(text);
  if (known !== undefined) return known;
  const ago = /^-(\d{1,9})([smhd])$/.exec(text);
  if (ago) return now - Number(ago[1]) * SECONDS[ago[2] as keyof typeof SECONDS] * 1e6;
  const date = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?)?$/.exec(text);
  const [, day, minute = '00:00', second = '00', fraction = ''] = date ?? [];
  const seconds = day === undefined ? Number.NaN : new Date(`${day}T${minute}:${second}`).getTime() / 1000;
  if (!Number.isNaN(seconds)) return seconds * 1e6 + Number(fraction.padEnd(6, '0'));
  throw new AbortError(
    'INVALID',
    `${JSON.stringify(text)} is no moment: it must be like -5m, 2026-11-28 or "2026-11-28 10:00:00", or one of your checkpoints.`,
    'See your checkpoints with: walt log list-checkpoints',
  );
}

/** Colons of a time of day are not the one between start and end. */
export function readRange(text: string, now: number, checkpoints: ReadonlyMap<string, number>): Range {
  if (text === 'full') return { from: undefined, to: undefined };
  const moment = String.raw`(?:\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?|[^:]*)`;
  const match = new RegExp(`^(${moment}):(${moment})$`).exec(text);
  if (!match) {
    throw new AbortError(
      'INVALID',
      `${JSON.stringify(text)} is no range: it must be like -5m:, start:end or full.`,
      'See how ranges are written: walt help show logs',
    );
  }
  const [, start = '', end = ''] = match;
  const at = (moment: string) => (moment === '' ? undefined : readMoment(moment, now, checkpoints));
  const range = { from: at(start), to: at(end) };
  if (range.from !== undefined && range.to !== undefined && range.from > range.to) {
    throw new AbortError(
      'INVALID',
      `${JSON.stringify(text)} ends before it begins.`,
      'Swap its two moments.',
    );
  }
  return range;
}
