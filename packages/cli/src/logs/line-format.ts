/** How a line of a log is printed, written as Python's format strings: `{timestamp:%H:%M:%S.%f} {issuer}.{stream} -> {line}`. */
import { AbortError } from '@walt/client/errors';
import { unstyled } from '../terminal/visible.ts';

export interface PrintedLine {
  /** Microseconds of Unix time. */
  time: number;
  issuer: string;
  stream: string;
  line: string;
}

export const DEFAULT_FORMAT = '{timestamp:%H:%M:%S.%f} {issuer}.{stream} -> {line}';

type Part = (line: PrintedLine) => string;

/** Reads a format once, to print many lines. Throws AbortError that names what it cannot read. */
export function readFormat(format: string): (line: PrintedLine) => string {
  const parts: Part[] = [];
  for (const [whole, text, doubled, field, spec = ''] of format.matchAll(
    /([^{}]+)|(\{\{|\}\})|\{([a-z]*)(?::([^{}]*))?\}|[{}]/gs,
  )) {
    if (text !== undefined) parts.push(() => text);
    else if (doubled !== undefined) parts.push(() => doubled.slice(1));
    else if (field === 'timestamp') parts.push(timePart(spec));
    else if (field === 'issuer' || field === 'stream' || field === 'line') parts.push(textPart(field, spec));
    else
      throw unreadable(
        format,
        field === undefined ? `a single ${whole}` : `no field ${JSON.stringify(field)}`,
      );
  }
  return (line) => parts.map((part) => part(line)).join('');
}

/** `[[FILL]ALIGN][WIDTH][.MOST]` (Python, format specification mini-language). */
function textPart(field: 'issuer' | 'stream' | 'line', spec: string): Part {
  const match = /^(?:(.)?([<>^]))?(\d{1,4})?(?:\.(\d{1,4}))?s?$/su.exec(spec);
  if (!match) throw unreadable(spec, `no format of a text: ${JSON.stringify(spec)}`);
  const [, fill = ' ', align = '<', width = '0', most] = match;
  return (line) => {
    const text = most === undefined ? line[field] : unstyled(line[field]).slice(0, Number(most));
    const lack = Math.max(Number(width) - unstyled(text).length, 0);
    const before = align === '>' ? lack : align === '^' ? Math.floor(lack / 2) : 0;
    return fill.repeat(before) + text + fill.repeat(lack - before);
  };
}

const two = (value: number) => String(value).padStart(2, '0');
const named = (options: Intl.DateTimeFormatOptions) => {
  const names = new Intl.DateTimeFormat('en', options);
  return (date: Date) => names.format(date);
};

/** Directives of strftime(3), in the time of this machine; `%f` are the microseconds. */
const DIRECTIVES: Readonly<Record<string, (date: Date, micros: number) => string>> = {
  Y: (date) => String(date.getFullYear()),
  y: (date) => two(date.getFullYear() % 100),
  m: (date) => two(date.getMonth() + 1),
  d: (date) => two(date.getDate()),
  H: (date) => two(date.getHours()),
  I: (date) => two(((date.getHours() + 11) % 12) + 1),
  M: (date) => two(date.getMinutes()),
  S: (date) => two(date.getSeconds()),
  p: (date) => (date.getHours() < 12 ? 'AM' : 'PM'),
  f: (_date, micros) => String(micros).padStart(6, '0'),
  s: (date) => String(Math.floor(date.getTime() / 1000)),
  a: named({ weekday: 'short' }),
  A: named({ weekday: 'long' }),
  b: named({ month: 'short' }),
  B: named({ month: 'long' }),
  j: (date) => String(dayOfYear(date)).padStart(3, '0'),
  z: (date) => {
    const minutes = -date.getTimezoneOffset();
    const size = Math.abs(minutes);
    return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${two(size % 60)}`;
  },
  F: (date, micros) => strftime('%Y-%m-%d', date, micros),
  T: (date, micros) => strftime('%H:%M:%S', date, micros),
  '%': () => '%',
};

function dayOfYear(date: Date): number {
  const day = Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  return (day - Date.UTC(date.getFullYear(), 0, 0)) / 86_400_000;
}

function strftime(format: string, date: Date, micros: number): string {
  return format.replace(/%(.)/gs, (whole, letter: string) => DIRECTIVES[letter]?.(date, micros) ?? whole);
}

function timePart(spec: string): Part {
  for (const [whole, letter = ''] of spec.matchAll(/%(.?)/gs)) {
    if (!Object.hasOwn(DIRECTIVES, letter))
      throw unreadable(spec, `no format of a time: ${JSON.stringify(whole)}`);
  }
  const format = spec === '' ? '%F %T.%f' : spec;
  return ({ time }) => strftime(format, new Date(time / 1000), Math.round(time) % 1e6);
}

function unreadable(format: string, why: string): AbortError {
  return new AbortError(
    'INVALID',
    `The format ${JSON.stringify(format)} cannot be read: ${why}.`,
    `The usual one is: '${DEFAULT_FORMAT}'`,
  );
}
