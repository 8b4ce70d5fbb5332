import { Readable } from 'node:stream';
import { UserError } from '../../../platform/index.ts';
import { BLOCK, type SpecialType, type TarHeader, type TarType, XATTR } from './header.ts';

export interface TarEntry {
  header: TarHeader;
  /** What is not read is passed over. */
  content: AsyncIterable<Buffer>;
}

/** Bytes of pax headers and long names in front of an entry: an attribute has at most 64 KB, all of them together as much again. */
const MAX_RECORDS = 1024 * 1024;
/** Far more than any disk has, and exact as a number. */
const MAX_SIZE = 2 ** 50;
const MAX_ID = 2 ** 32 - 2;

const TYPES: Readonly<Record<string, TarType>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'hard-link',
  '2': 'link',
  '5': 'folder',
};

const SPECIAL: Readonly<Record<string, SpecialType>> = {
  '3': 'char-device',
  '4': 'block-device',
  '6': 'pipe',
};

const OTHERS: Readonly<Record<string, string>> = {
  '3': 'a device',
  '4': 'a device',
  '6': 'a named pipe',
  S: 'a sparse file',
};

/**
 * Entries of an archive of any tar: v7, ustar, GNU's and pax. Throws UserError INVALID for what is no tar, has anything but files,
 * folders and links in it (with `special`: also devices and pipes), or ends in the middle; and what `source` throws.
 */
export async function* readTar(
  source: AsyncIterable<Buffer>,
  { special = false } = {},
): AsyncGenerator<TarEntry> {
  const bytes = new Bytes(source);
  try {
    let records = new Map<string, string>();
    let length = 0;
    for (;;) {
      const block = await bytes.take(BLOCK);
      if (block.every((byte) => byte === 0)) break;
      requireChecksum(block);
      const type = text(block, 156, 1);
      const size = number(block, 124, 12);
      if ('xgLK'.includes(type) && type !== '') {
        // Of all that stand in front of one entry.
        length += size;
        const body = await readRecords(bytes, size, length);
        if (type === 'g') requireHarmless(body);
        else if (type === 'x') for (const [key, value] of parseRecords(body)) records.set(key, value);
        else records.set(type === 'L' ? 'path' : 'linkpath', body.toString('latin1').replace(/\0.*$/s, ''));
        continue;
      }
      const header = parseHeader(block, type, size, records, special);
      records = new Map();
      length = 0;
      const content = bytes.pass(header.size);
      yield { header, content };
      for await (const _ of content);
      await bytes.take(-header.size & (BLOCK - 1));
    }
    await bytes.drain();
  } finally {
    await bytes.leave();
  }
}

function parseHeader(
  block: Buffer,
  letter: string,
  ownSize: number,
  records: ReadonlyMap<string, string>,
  special: boolean,
): TarHeader {
  const prefix = text(block, 257, 6) === 'ustar' && block[262] === 0 ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  const path = records.get('path') ?? (prefix === '' ? name : `${prefix}/${name}`);
  const known = TYPES[letter === '' ? '\0' : letter] ?? (special ? SPECIAL[letter] : undefined);
  if (!known) throw invalid(path, `is ${OTHERS[letter] ?? `of type ${JSON.stringify(letter)}`}`);
  if ([...records.keys()].some((key) => key.startsWith('GNU.sparse.'))) {
    throw invalid(path, 'is a sparse file');
  }
  // Before there was a type for folders, a slash told.
  const type = known === 'file' && path.endsWith('/') ? 'folder' : known;
  const size = records.has('size') ? decimal(records.get('size'), path) : ownSize;
  if (size > MAX_SIZE || (size > 0 && type !== 'file')) throw invalid(path, 'has a size that cannot be');
  const id = (key: string, offset: number) => {
    const value = records.has(key) ? decimal(records.get(key), path) : number(block, offset, 8);
    if (value > MAX_ID) throw invalid(path, 'belongs to a number that no user can have');
    return value;
  };
  const target =
    known === 'file' || type === 'folder' ? '' : (records.get('linkpath') ?? text(block, 157, 100));
  if (path === '' || path.includes('\0') || target.includes('\0')) throw invalid(path, 'has no proper name');
  const attributes = [...records].flatMap(([key, value]): [string, string][] =>
    key.startsWith(XATTR) ? [[key.slice(XATTR.length), value]] : [],
  );
  return {
    ...{ path, type, size, target, mode: number(block, 100, 8) & 0o7777 },
    ...{ uid: id('uid', 108), gid: id('gid', 116), attributes: new Map(attributes) },
    ...(type.endsWith('-device') && {
      device: { major: number(block, 329, 8), minor: number(block, 337, 8) },
    }),
    mtime: records.has('mtime') ? nanoseconds(records.get('mtime') ?? '', path) : mtimeOf(block),
  };
}

async function readRecords(bytes: Bytes, size: number, length: number): Promise<Buffer> {
  if (length > MAX_RECORDS) throw broken();
  const body = await bytes.take(size);
  await bytes.take(-size & (BLOCK - 1));
  return body;
}

/** pax(1), "pax Extended Header": `LENGTH KEY=VALUE\n`, where the length counts itself and values may be any bytes. */
export function parseRecords(body: Buffer): [key: string, value: string][] {
  const all = body.toString('latin1');
  const records: [string, string][] = [];
  for (let at = 0; at < all.length; ) {
    const digits = /^\d{1,7} /.exec(all.slice(at, at + 8))?.[0];
    const end = at + Number(digits);
    const equals = all.indexOf('=', at);
    if (digits === undefined || end > all.length || all[end - 1] !== '\n' || equals < 0 || equals >= end) {
      throw broken();
    }
    records.push([all.slice(at + digits.length, equals), all.slice(equals + 1, end - 1)]);
    at = end;
  }
  return records;
}

/** Records for all entries that follow: git-archive(1) writes a comment. */
function requireHarmless(body: Buffer): void {
  if (parseRecords(body).some(([key]) => key !== 'comment')) throw broken();
}

/** The sum of all bytes of the block, those of the sum itself taken for blanks. */
function requireChecksum(block: Buffer): void {
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  if (!/^[ 0-7]+[\0 ]*$/.test(block.toString('latin1', 148, 156)) || number(block, 148, 8) !== sum) {
    throw new UserError(
      'INVALID',
      'What was sent is not a tar archive, or a damaged or compressed one.',
      'Send it uncompressed.',
    );
  }
}

function text(block: Buffer, offset: number, length: number): string {
  return block.toString('latin1', offset, offset + length).replace(/\0.*$/s, '');
}

/** Octal digits, or, with the highest bit set, a binary number (GNU tar). Throws UserError for a negative one. */
function number(block: Buffer, offset: number, length: number): number {
  const first = block[offset] ?? 0;
  if (first === 0x80) {
    const value = BigInt(`0x${block.toString('hex', offset + 1, offset + length)}`);
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : Number.MAX_SAFE_INTEGER;
  }
  const digits = text(block, offset, length).trim();
  if (!/^[0-7]*$/.test(digits)) throw broken();
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

/** Times before 1970 are binary and negative. */
function mtimeOf(block: Buffer): bigint {
  const seconds =
    block[136] === 0xff
      ? BigInt.asIntN(88, BigInt(`0x${block.toString('hex', 137, 148)}`))
      : BigInt(number(block, 136, 12));
  return seconds * 1_000_000_000n;
}

function decimal(value: string | undefined, path: string): number {
  if (value === undefined || !/^\d{1,15}$/.test(value)) throw invalid(path, 'has a number that cannot be');
  return Number(value);
}

/** `-1.5` is half a second before -1. Digits beyond nanoseconds are cut. */
export function nanoseconds(value: string, path: string): bigint {
  const [, sign, whole, part = ''] = /^(-?)(\d{1,12})(?:\.(\d*))?$/.exec(value) ?? [];
  if (whole === undefined) throw invalid(path, 'has a time that cannot be');
  const count = BigInt(whole) * 1_000_000_000n + BigInt(part.slice(0, 9).padEnd(9, '0'));
  return sign === '-' ? -count : count;
}

/** Bytes of a stream, in pieces of the size that is wanted. */
class Bytes {
  readonly #source: AsyncIterator<Buffer>;
  readonly #isStream: boolean;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
    this.#isStream = source instanceof Readable;
  }

  async take(size: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.pass(size)) parts.push(part);
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
  }

  /** Throws UserError when the stream ends before. */
  async *pass(size: number): AsyncGenerator<Buffer> {
    for (let left = size; left > 0; ) {
      if (this.#rest.length === 0) {
        const { value, done } = await this.#source.next();
        if (done) throw broken();
        this.#rest = value;
      }
      const part = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(part.length);
      left -= part.length;
      if (part.length > 0) yield part;
    }
  }

  /** Ends a program of ours that still writes. Who sends by a connection gets an answer by it: it stays open. */
  async leave(): Promise<void> {
    if (!this.#isStream) await this.#source.return?.();
  }

  /** tar(1) fills its last record; who sends must be read to the end. */
  async drain(): Promise<void> {
    while (!(await this.#source.next()).done);
  }
}

function invalid(path: string, what: string): UserError {
  return new UserError(
    'INVALID',
    `${JSON.stringify(Buffer.from(path, 'latin1').toString('utf8'))} in the archive ${what}.`,
    'Only files, folders and links can be copied.',
  );
}

function broken(): UserError {
  return new UserError('INVALID', 'The archive is damaged, or ends in the middle.', 'Repeat the command.');
}
