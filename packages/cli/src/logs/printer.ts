/** Prints lines of logs, one per line, as fast as whoever reads takes them. */

import { isUtf8 } from 'node:buffer';
import type { Writable } from 'node:stream';
import { flushed } from '@walt/client/drain';
import type { LogLine } from '@walt/client/log-lines';
import { type Colour, painter, wantsColours } from '../terminal/style.ts';
import { terminalText, visibleJson, visibleName } from '../terminal/visible.ts';
import { DEFAULT_FORMAT, readFormat } from './line-format.ts';

export interface PrintOptions {
  format?: string;
  json?: true;
  /** `whole`: with a column of bytes for lines that are no UTF-8. */
  csv?: true | 'whole';
}

/** Writes lines to standard output, or to a file; resolves when they are taken. On a terminal, nothing in them steers it. */
export function linePrinter(
  { format, json, csv }: PrintOptions,
  sink: Writable = process.stdout,
): (lines: readonly LogLine[]) => Promise<void> {
  const form = json ? jsonLine : csv ? csvLine(csv === 'whole') : textLine(format ?? DEFAULT_FORMAT);
  return async (lines) => {
    sink.write(lines.map((line) => `${form(line)}\n`).join(''));
    await flushed(sink);
  };
}

/** Names of the columns of `--csv`. */
export const CSV_HEAD = 'timestamp,issuer,stream,line\n';
export const WHOLE_CSV_HEAD = 'timestamp,issuer,stream,line,base64\n';

const COLOURS: readonly Colour[] = ['cyan', 'green', 'yellow', 'magenta', 'blue', 'red'];

function textLine(format: string): (line: LogLine) => string {
  const print = readFormat(format);
  if (!process.stdout.isTTY) return ({ line, ...rest }) => print({ ...rest, line: line.toString('utf8') });
  const paint = painter(wantsColours(process.stdout));
  const issuers = new Map<string, string>();
  const painted = (issuer: string) => {
    const known = issuers.get(issuer) ?? paint(issuer, COLOURS[issuers.size % COLOURS.length] ?? 'cyan');
    issuers.set(issuer, known);
    return known;
  };
  return ({ issuer, line, ...rest }) =>
    terminalText(visibleName(print({ ...rest, issuer: painted(issuer), line: line.toString('utf8') })));
}

/** ISO 8601, in UTC, to the microsecond. */
export function isoTime(time: number): string {
  const micros = String(Math.round(time) % 1000).padStart(3, '0');
  return new Date(time / 1000).toISOString().replace('Z', `${micros}Z`);
}

/** A line that is no UTF-8 has its bytes beside its text. */
function jsonLine({ time, issuer, stream, line }: LogLine): string {
  const bytes = isUtf8(line) ? {} : { base64: line.toString('base64') };
  const data = { timestamp: isoTime(time), issuer, stream, line: line.toString('utf8'), ...bytes };
  return visibleJson(JSON.stringify(data));
}

/** RFC 4180. */
function csvLine(isWhole: boolean): (line: LogLine) => string {
  return ({ time, issuer, stream, line }) => {
    const text = line.toString('utf8');
    const quoted = /[",\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    const bytes = isUtf8(line) ? '' : line.toString('base64');
    const row = [isoTime(time), issuer, stream, quoted, ...(isWhole ? [bytes] : [])].join(',');
    return process.stdout.isTTY ? visibleName(row) : row;
  };
}
