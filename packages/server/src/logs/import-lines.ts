/** What a file of lines says, line by line. */
import { isUtf8 } from 'node:buffer';
import { LOG_STREAM } from '@walt/contract';
import * as z from 'zod';
import { UserError } from '../platform/index.ts';
import { MAX_LINE } from './program/index.ts';

/** Bytes of a line of the file: a text of MAX_LINE, of which JSON writes each byte as six, and some names. */
const MAX_RECORD = 6 * MAX_LINE + 1024;

const NEWLINE = 0x0a;

export interface FileLine {
  /** As lines are stored: a node's address. */
  issuer: string;
  stream: string;
  /** Microseconds of Unix time. */
  time: number;
  text: Buffer;
}

/** Lines of a file, by their number. Throws UserError INVALID for one that is too long. */
export async function* linesOf(
  source: AsyncIterable<Buffer>,
): AsyncGenerator<{ number: number; bytes: Buffer }> {
  let number = 1;
  let rest: Buffer[] = [];
  let size = 0;
  const whole = (end: Buffer) => {
    if (size + end.length > MAX_RECORD) throw wrong(number, `it has more than ${MAX_RECORD} bytes`);
    return Buffer.concat([...rest, end]);
  };
  for await (const part of source) {
    let from = 0;
    for (let to = part.indexOf(NEWLINE); to !== -1; to = part.indexOf(NEWLINE, from)) {
      yield { number, bytes: whole(part.subarray(from, to)) };
      rest = [];
      size = 0;
      number += 1;
      from = to + 1;
    }
    rest.push(part.subarray(from));
    size += part.length - from;
    if (size > MAX_RECORD) whole(Buffer.alloc(0));
  }
  if (size > 0) yield { number, bytes: whole(Buffer.alloc(0)) };
}

const record = z.strictObject({
  timestamp: z.string(),
  issuer: z.string(),
  stream: z.string(),
  line: z.string(),
  /** The line's very bytes, where they are no UTF-8. */
  base64: z.base64().optional(),
});

/** Columns of a table; a fifth one may have the bytes of lines that are no UTF-8. */
const COLUMNS = ['timestamp', 'issuer', 'stream', 'line'];
const FIELD = /(?:"((?:[^"]|"")*)"|([^",]*))(?=,|$)/y;

interface Rules {
  /** Addresses of issuers, by name. */
  issuers: ReadonlyMap<string, string>;
  /** Microseconds of Unix time. */
  latest: number;
}

/**
 * Reads the lines of a file one after the other, by their number: objects of JSON, or, where the first one says so, rows of a
 * table. Undefined for the one that names a table's columns. Throws UserError INVALID that names the line's number.
 */
export function lineReader(rules: Rules): (number: number, bytes: Buffer) => FileLine | undefined {
  let columns: readonly string[] | undefined;
  return (number, bytes) => {
    if (!isUtf8(bytes)) throw wrong(number, 'it is no UTF-8');
    if (number === 1) {
      columns = columnsOf(bytes);
      if (columns) return undefined;
    }
    const fields = columns ? rowOf(number, bytes, columns) : jsonOf(number, bytes);
    return checked(number, checkedFields(number, fields), rules);
  };
}

/** Columns of a table, if it begins like this. Programs that write tables may put a mark in front. */
function columnsOf(bytes: Buffer): readonly string[] | undefined {
  const head = bytes
    .toString()
    .replace(/^\ufeff/, '')
    .replace(/\r$/, '');
  const columns = head.split(',').map((name) => name.replace(/^"(.*)"$/, '$1'));
  const isTable =
    COLUMNS.every((name, at) => columns[at] === name) && [undefined, 'base64'].includes(columns[4]);
  return isTable && columns.length <= 5 ? columns : undefined;
}

/** RFC 4180. Texts have no newline, so each row is a line of the file. */
function rowOf(number: number, bytes: Buffer, columns: readonly string[]): Record<string, string> {
  const text = bytes.toString().replace(/\r$/, '');
  const fields: string[] = [];
  for (let at = 0; at <= text.length; at += 1) {
    // Sticky: in time that grows with the text.
    FIELD.lastIndex = at;
    const [whole, quoted, plain = ''] = FIELD.exec(text) ?? [];
    if (whole === undefined) throw wrong(number, 'its quotes are no table’s');
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    at += whole.length;
  }
  if (fields.length !== columns.length) {
    throw wrong(number, `it has ${fields.length} fields, and the table has ${columns.length}`);
  }
  const row = Object.fromEntries(columns.map((name, at) => [name, fields[at] ?? '']));
  // Empty: the text says it all.
  if (row.base64 === '') delete row.base64;
  return row;
}

function checked(
  number: number,
  { timestamp, issuer, stream, line, base64 }: z.infer<typeof record>,
  { issuers, latest }: Rules,
): FileLine {
  const time = readTime(timestamp);
  if (time === undefined) {
    throw wrong(number, `${quoted(timestamp)} is no time as 2026-11-28T10:00:00.000000Z`);
  }
  if (time > latest) throw wrong(number, `${quoted(timestamp)} is yet to come`);
  const known = issuers.get(issuer);
  if (known === undefined) {
    throw wrong(
      number,
      `nothing here is called ${quoted(issuer)}`,
      'Make a node of that name, or take the line out',
    );
  }
  if (!LOG_STREAM.test(stream)) throw wrong(number, `${quoted(stream)} is no name of a stream`);
  if (!line.isWellFormed()) throw wrong(number, 'its text is no Unicode');
  const text = base64 === undefined ? Buffer.from(line) : Buffer.from(base64, 'base64');
  if (text.length > MAX_LINE) throw wrong(number, `its text has more than ${MAX_LINE} bytes`);
  if (text.includes(NEWLINE)) throw wrong(number, 'its text has several lines');
  return { issuer: known, stream, time, text };
}

function jsonOf(number: number, bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    throw wrong(number, number === 1 ? 'it is no JSON, and names no columns of a table' : 'it is no JSON');
  }
}

function checkedFields(number: number, data: unknown): z.infer<typeof record> {
  const result = record.safeParse(data);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.join('.');
  throw wrong(number, `${field ? `${quoted(field)}: ` : ''}${issue?.message}`);
}

/** Microseconds of Unix time, of ISO 8601 in UTC. */
function readTime(text: string): number | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?Z$/.exec(text);
  const [, second, fraction = ''] = match ?? [];
  const date = new Date(`${second}Z`);
  // A date like the 30th of February is another one.
  if (second === undefined || Number.isNaN(date.getTime()) || !date.toISOString().startsWith(second)) {
    return undefined;
  }
  const time = date.getTime() * 1000 + Number(fraction.padEnd(6, '0'));
  return time < 0 ? undefined : time;
}

/** At most so many characters of what a file says are told. */
const TOLD = 60;

function quoted(text: string): string {
  return JSON.stringify(text.length > TOLD ? `${text.slice(0, TOLD)}…` : text);
}

function wrong(number: number, why: string, hint = 'Mend it'): UserError {
  return new UserError(
    'INVALID',
    `Line ${number} of the file cannot be imported: ${why}.`,
    `Nothing was imported. ${hint}, then import the file again.`,
  );
}
