import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { LOG_STREAM, type LogImported, PLATFORM_ISSUER } from '@walt/contract';
import { z } from 'zod';
import { type Caller, demand } from '../access/index.ts';
import { hasErrno, UserError } from '../platform/index.ts';
import type { Issuer } from './calls.ts';
import type { Logs } from './logs.ts';
import { MAX_LINE } from './program/index.ts';

/** Bytes of a line of the file: a text of MAX_LINE, of which JSON writes each byte as six, and some names. */
const MAX_RECORD = 6 * MAX_LINE + 1024;
/** Bytes of a file. */
const MAX_FILE = 4 * 2 ** 30;
/** Bytes of text, and lines, that are stored together; more, up to these, while the time is the same. */
const PORTION = { size: 256 * 1024, count: 2000 };
const MOST = { size: 384 * 1024, count: 3000 };
/** Microseconds that a line may be ahead of this server's clock: it may be another's. */
const AHEAD = 3600e6;

const NEWLINE = 0x0a;

interface Deps {
  logs: Pick<Logs, 'import' | 'tell'>;
  /** Nodes and other devices. */
  issuers: () => Promise<readonly Issuer[]>;
  /** For the file while it is checked. */
  folder: string;
  /** For which lines are kept. */
  days: number;
}

export interface FileLine {
  /** As lines are stored: a node's address. */
  issuer: string;
  stream: string;
  /** Microseconds of Unix time. */
  time: number;
  text: Buffer;
}

/** Lines of files, as `walt log export` prints them, become lines of the platform. */
export class LogImports {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /**
   * Stores all lines, or, where one is none, nothing. What is there already, with the same time and text, does not come twice.
   * Throws UserError FORBIDDEN, INVALID, UNAVAILABLE.
   */
  async write(caller: Caller, open: () => Readable): Promise<LogImported> {
    demand('log.import', caller, {});
    const { logs, folder, days } = this.#deps;
    const issuers = new Map((await this.#deps.issuers()).map(({ name, ip }) => [name, ip]));
    issuers.set(PLATFORM_ISSUER, PLATFORM_ISSUER);
    const now = Date.now() * 1000;
    const rules = { issuers, latest: now + AHEAD };
    await using file = await unnamedFile(folder);
    // Nothing is stored before all of it was read.
    for await (const { number, bytes } of linesOf(copied(open(), file))) readLine(number, bytes, rules);
    const portions = new Portions((lines) => logs.import(lines));
    const oldest = now - days * 86_400e6;
    for await (const { number, bytes } of linesOf(file.createReadStream({ start: 0, autoClose: false }))) {
      const line = readLine(number, bytes, rules);
      if (line.time < oldest) portions.expired += 1;
      else await portions.add(line);
    }
    const told = await portions.end();
    logs.tell('platform.logs', `${caller.user} imported lines: ${told.stored} stored, ${told.known} known`);
    return told;
  }
}

/** Lines on their way to the program that keeps them. */
class Portions {
  readonly #send: Deps['logs']['import'];
  readonly #waiting = new Map<string, Parameters<Deps['logs']['import']>[0]['lines']>();
  #size = 0;
  #count = 0;
  #last = 0;
  #all = 0;
  #stored = 0;
  expired = 0;

  constructor(send: Deps['logs']['import']) {
    this.#send = send;
  }

  async add({ issuer, stream, time, text }: FileLine): Promise<void> {
    // Lines with one time and text may be several: those that are there already are counted against all of them.
    if (this.#has(MOST) || (this.#has(PORTION) && time !== this.#last)) await this.#flush();
    const lines = this.#waiting.get(issuer) ?? [];
    this.#waiting.set(issuer, lines);
    lines.push({ stream, time, text: text.toString('base64') });
    this.#last = time;
    this.#all += 1;
    this.#count += 1;
    this.#size += text.length;
  }

  #has({ size, count }: typeof MOST): boolean {
    return this.#size >= size || this.#count >= count;
  }

  async end(): Promise<LogImported> {
    await this.#flush();
    return { stored: this.#stored, known: this.#all - this.#stored, expired: this.expired };
  }

  async #flush(): Promise<void> {
    for (const [issuer, lines] of this.#waiting) {
      this.#stored += await this.#send({ issuer, lines });
    }
    this.#waiting.clear();
    this.#size = 0;
    this.#count = 0;
  }
}

/** A file that no folder has: it is gone with the process, whatever ends that. */
async function unnamedFile(folder: string): Promise<FileHandle> {
  const path = join(folder, `import-${randomBytes(8).toString('hex')}.tmp`);
  const file = await open(path, 'wx+', 0o600);
  await rm(path);
  return file;
}

/** What comes, once it is in the file, too. */
async function* copied(body: Readable, file: FileHandle): AsyncGenerator<Buffer> {
  let size = 0;
  for await (const part of body as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_FILE) {
      throw new UserError('INVALID', `The file has more than ${MAX_FILE / 2 ** 30} GiB.`, 'Split it.');
    }
    await file.writeFile(part).catch((error) => {
      if (!hasErrno(error, 'ENOSPC', 'EDQUOT')) throw error;
      throw new UserError(
        'UNAVAILABLE',
        "The server's disk is full.",
        'Make room on it, then import the file again.',
      );
    });
    yield part;
  }
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

interface Rules {
  /** Addresses of issuers, by name. */
  issuers: ReadonlyMap<string, string>;
  /** Microseconds of Unix time. */
  latest: number;
}

/** Throws UserError INVALID that names the line's number. */
export function readLine(number: number, bytes: Buffer, { issuers, latest }: Rules): FileLine {
  const { timestamp, issuer, stream, line, base64 } = fieldsOf(number, bytes);
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

function fieldsOf(number: number, bytes: Buffer): z.infer<typeof record> {
  if (!isUtf8(bytes)) throw wrong(number, 'it is no UTF-8');
  let data: unknown;
  try {
    data = JSON.parse(bytes.toString());
  } catch {
    throw wrong(number, 'it is no JSON');
  }
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
