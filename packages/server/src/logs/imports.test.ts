import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, beforeEach, test } from 'node:test';
import { RoomGuard } from '../platform/index.ts';
import { LogImports } from './imports.ts';
import type { Logs } from './logs.ts';

const root = { uid: 0, user: 'root', role: 'administrator' as const };
const issuers = async () => [{ name: 'n1', ip: '10.0.0.2' }];

type Portion = Parameters<Logs['import']>[0];

let folder: string;
let portions: Portion[];
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-imports-'));
});
beforeEach(() => {
  portions = [];
});
after(() => rm(folder, { recursive: true }));

/** What keeps lines takes all of them. */
const logs = {
  import: async (portion: Portion) => {
    portions.push(structuredClone(portion));
    return portion.lines.length;
  },
  tell: () => {},
};

/** A file of these bytes, in pieces of `size`. */
function fileOf(bytes: Buffer, size = 7): () => Readable {
  const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
    bytes.subarray(at * size, (at + 1) * size),
  );
  return () => Readable.from(pieces);
}

const imports = () => new LogImports({ logs, issuers, folder, days: 90, room: new RoomGuard(folder) });
const line = { timestamp: new Date().toISOString(), issuer: 'n1', stream: 'app', line: 'x' };
const HEAD = 'timestamp,issuer,stream,line';
const ROW = '2026-11-28T10:00:00Z,n1,app,x';
const bytesOf = (lines: readonly (object | string | Buffer)[]) =>
  Buffer.concat(
    lines.flatMap((text) => [
      Buffer.isBuffer(text) ? text : Buffer.from(typeof text === 'string' ? text : JSON.stringify(text)),
      Buffer.from('\n'),
    ]),
  );

test('lines are stored by issuer, to the microsecond, whatever pieces they come in', async () => {
  const day = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  const at = new Date(`${day}T00:00:00Z`).getTime() * 1000;
  const file = bytesOf([
    { ...line, timestamp: `${day}T00:00:00.000001Z`, line: 'é' },
    { ...line, timestamp: `${day}T00:00:01.5Z`, issuer: 'walt-server', stream: 'daemon.api' },
    { ...line, timestamp: `${day}T00:00:02Z`, line: '\ufffd', base64: '/w==' },
    { ...line, timestamp: '1999-12-31T23:59:59Z' },
  ]);
  // Without its last newline, too.
  for (const whole of [file, file.subarray(0, -1)]) {
    portions = [];
    const told = await imports().write(root, fileOf(whole));
    assert.deepEqual(told, { stored: 3, known: 0, expired: 1 });
    const [ofNode, ofServer] = portions;
    assert.equal(ofNode?.issuer, '10.0.0.2');
    assert.deepEqual(ofNode.lines, [
      { stream: 'app', time: at + 1, text: 'w6k=' },
      { stream: 'app', time: at + 2e6, text: '/w==' },
    ]);
    assert.equal(ofServer?.issuer, 'walt-server');
    assert.deepEqual(ofServer.lines, [{ stream: 'daemon.api', time: at + 1.5e6, text: 'eA==' }]);
  }
  assert.deepEqual(await readdir(folder), []);
});

test('a table of them is taken, too, also as other programs write it', async () => {
  const time = '2026-11-28T10:00:00.000001Z';
  const told = async (text: string) => {
    portions = [];
    await new LogImports({ logs, issuers, folder, days: 1_000_000, room: new RoomGuard(folder) }).write(
      root,
      fileOf(Buffer.from(text)),
    );
    return portions.flatMap(({ lines }) =>
      lines.map(({ text }) => Buffer.from(text, 'base64').toString('latin1')),
    );
  };
  const table = [
    'timestamp,issuer,stream,line,base64',
    `${time},n1,app,,`,
    `${time},n1,app,"a ""b"", c\r",`,
    `${time},n1,app,\ufffd,/w==`,
  ];
  const texts = ['', 'a "b", c\r', '\xff'];
  assert.deepEqual(await told(`${table.join('\n')}\n`), texts);
  assert.deepEqual(await told(`\ufeff${table.join('\r\n')}`), texts);
  const quoted = `"timestamp","issuer","stream","line"\n"${time}","n1","app","x"`;
  assert.deepEqual(await told(quoted), ['x']);
});

test('lines of one time are in one portion, unless they are too many', async () => {
  const file = bytesOf(
    Array.from({ length: 5000 }, (_, at) => ({
      ...line,
      timestamp: new Date(Date.now() - 60_000 + Math.floor(at / 10)).toISOString(),
      line: `line ${at}`,
    })),
  );
  assert.deepEqual(await imports().write(root, fileOf(file, 64 * 1024)), {
    stored: 5000,
    known: 0,
    expired: 0,
  });
  assert.ok(portions.length > 1);
  for (const [at, { lines }] of portions.slice(1).entries()) {
    assert.notEqual(
      lines[0]?.time,
      portions[at]?.lines.at(-1)?.time,
      'no portion ends between lines of one time',
    );
  }
  const texts = portions.flatMap(({ lines }) =>
    lines.map(({ text }) => Buffer.from(text, 'base64').toString()),
  );
  assert.deepEqual(
    texts,
    Array.from({ length: 5000 }, (_, at) => `line ${at}`),
  );

  const same = bytesOf(Array.from({ length: 7000 }, () => line));
  portions = [];
  await imports().write(root, fileOf(same, 64 * 1024));
  assert.deepEqual(
    portions.map(({ lines }) => lines.length),
    [3000, 3000, 1000],
  );
});

const refused: [what: string, lines: (object | string | Buffer)[], why: RegExp][] = [
  ['no JSON', [line, 'L 1 2'], /^Line 2 of the file cannot be imported: it is no JSON\.$/],
  ['an empty line', [line, '', line], /^Line 2 .* it is no JSON/],
  ['no object', [line, '[]'], /^Line 2 /],
  ['a head of a table behind', [line, HEAD], /^Line 2 .* it is no JSON/],
  ['no UTF-8', [Buffer.from([0x22, 0xff, 0x22])], /^Line 1 .* it is no UTF-8/],
  ['10 MB', [line, line, 'x'.repeat(10_000_000)], /^Line 3 .* it has more than 394240 bytes/],
  [
    'a date that is none',
    [{ ...line, timestamp: '2026-02-30T00:00:00Z' }],
    /"2026-02-30T00:00:00Z" is no time/,
  ],
  ['a time of a zone', [{ ...line, timestamp: '2026-02-03T00:00:00+01:00' }], /is no time/],
  ['a time before all', [{ ...line, timestamp: '1969-12-31T23:59:59Z' }], /is no time/],
  ['a time to come', [{ ...line, timestamp: '2285-01-01T00:00:00Z' }], /is yet to come/],
  ['an unknown node', [line, { ...line, issuer: 'nobody' }], /^Line 2 .* nothing here is called "nobody"/],
  ['a name that objects have', [{ ...line, issuer: '__proto__' }], /nothing here is called "__proto__"/],
  ['a stream with SQL', [{ ...line, stream: "'; drop table log_chunk" }], /is no name of a stream/],
  ['two lines in one', [{ ...line, line: 'a\nb' }], /its text has several lines/],
  ['two lines in one, as bytes', [{ ...line, base64: 'YQpi' }], /its text has several lines/],
  ['half a character', [{ ...line, line: '\ud800' }], /its text is no Unicode/],
  ['a text that is too long', [{ ...line, line: 'x'.repeat(65_537) }], /more than 65536 bytes/],
  ['what is no base64', [{ ...line, base64: '*' }], /^Line 1 .* "base64": /],
  ['a field too many', [{ ...line, more: 1 }], /^Line 1 .* "more"/],
  ['a field too few', [{ timestamp: line.timestamp }], /^Line 1 .* "issuer": /],
];
for (const [what, lines, why] of refused) {
  test(`a file with ${what} is refused, and nothing of it is stored`, async () => {
    // What is wrong comes behind what would be stored.
    const good = Array.from({ length: 100 }, () => line);
    const write = (some: typeof lines) => imports().write(root, fileOf(bytesOf(some), 64 * 1024));
    await assert.rejects(write(lines), { code: 'INVALID', message: why });
    await assert.rejects(write([...good, ...lines]), { code: 'INVALID', message: /^Line 10\d / });
    assert.deepEqual(portions, []);
    assert.deepEqual(await readdir(folder), []);
  });
}

const noTable: [what: string, lines: string[], why: RegExp][] = [
  ['other columns', ['time,line', 'x,y'], /^Line 1 .* it is no JSON, and names no columns of a table/],
  ['columns too many', [`${HEAD},base64,more`, ROW], /^Line 1 .* names no columns/],
  [
    'a field too few',
    [HEAD, '2026-11-28T10:00:00Z,n1,app'],
    /^Line 2 .* it has 3 fields, and the table has 4/,
  ],
  ['a field too many', [HEAD, ROW, `${ROW},y`], /^Line 3 .* it has 5 fields/],
  ['an open quote', [HEAD, `${ROW},"`], /^Line 2 .* its quotes are no table’s/],
  ['text behind a quote', [HEAD, '2026-11-28T10:00:00Z,n1,app,"x"y'], /^Line 2 .* quotes/],
  ['a quote in the middle', [HEAD, '2026-11-28T10:00:00Z,n1,app,x"y"'], /^Line 2 .* quotes/],
  ['a time that is none', [HEAD, 'yesterday,n1,app,x'], /^Line 2 .* "yesterday" is no time/],
  ['what is no base64', [`${HEAD},base64`, `${ROW},*`], /^Line 2 .* "base64": /],
  ['an empty line', [HEAD, '', ROW], /^Line 2 .* it has 1 fields/],
  ['many quotes', [HEAD, `${'"'.repeat(300_001)}`], /^Line 2 .* quotes/],
];
for (const [what, lines, why] of noTable) {
  test(`a table with ${what} is refused, and nothing of it is stored`, async () => {
    const write = imports().write(root, fileOf(bytesOf(lines), 64 * 1024));
    await assert.rejects(write, { code: 'INVALID', message: why });
    assert.deepEqual(portions, []);
  });
}

test('who is not root imports nothing', async () => {
  const write = imports().write({ uid: 1000, user: 'alice', role: 'member' as const }, () => {
    throw new Error('the file is read');
  });
  await assert.rejects(write, { code: 'FORBIDDEN' });
});
