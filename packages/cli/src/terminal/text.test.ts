/** Table tests of the pure parts that make text: styles, tables, numbers, progress, failures. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AbortError } from '@walt/client/errors';
import { describeFailure, renderFailure, UsageError } from '../errors.ts';
import { editDistance, nearest } from '../words/near.ts';
import { conjugate, humanDuration, humanSize, nameList } from './human.ts';
import { renderAmount, renderLive } from './progress.ts';
import { displayWidth, painter, wantsColours } from './style.ts';
import { renderTable } from './table.ts';
import { terminalText, visibleJson, visibleName } from './visible.ts';

const plain = painter(false);

test('names and texts out of images cannot steer a terminal, nor turn the direction of writing', () => {
  const hostile = 'a\x1b[31m\x9b2J\u202egpj.exe\n\tb';
  assert.equal(visibleName(hostile), String.raw`a\x1b[31m\x9b2J\u202egpj.exe\x0a\x09b`);
  assert.equal(terminalText(hostile), `${String.raw`a\x1b[31m\x9b2J\u202egpj.exe`}\n\tb`);
});

test('our own colours are all that is let through', () => {
  const red = painter(true)('a\x1b[31mb', 'red');
  assert.equal(terminalText(red), '\x1b[31ma\\x1b[31mb\x1b[0m');
  assert.equal(terminalText(`${red}\x1b[0m`), '\x1b[31ma\\x1b[31mb\x1b[0m\\x1b[0m');
  assert.equal(terminalText(visibleName(`${red}\n`)), '\x1b[31ma\\x1b[31mb\x1b[0m\\x0a');
  assert.equal(displayWidth(red), String.raw`a\x1b[31mb`.length);
});

test('JSON is the same data, and steers nothing', () => {
  const text = '\x00\x1b\x7f\x9b\u202e\u200e"\\ü日';
  const json = visibleJson(JSON.stringify({ text }));
  assert.match(json, /^[\x20-\x7eü日]*$/);
  assert.deepEqual(JSON.parse(json), { text });
});

test('displayWidth counts columns', () => {
  const cases: [string, number][] = [
    ['', 0],
    ['abc', 3],
    ['é', 1],
    ['e\u0301', 1],
    ['日本', 4],
    ['👩‍🚀', 2],
    [painter(true)('abc', 'red', 'bold'), 3],
  ];
  for (const [text, width] of cases) assert.equal(displayWidth(text), width, JSON.stringify(text));
});

test('colours: only on a terminal, and not against NO_COLOR or a dumb one', () => {
  assert.equal(wantsColours({ isTTY: true }, {}), true);
  assert.equal(wantsColours({ isTTY: true }, { NO_COLOR: '' }), true);
  assert.equal(wantsColours({ isTTY: true }, { NO_COLOR: '1' }), false);
  assert.equal(wantsColours({ isTTY: true }, { TERM: 'dumb' }), false);
  assert.equal(wantsColours({}, {}), false);
});

test('renderTable aligns by display width and leaves no blanks at the end', () => {
  const rows = [
    { name: '日本', size: 5 },
    { name: 'a', size: 1234 },
  ];
  const columns = [
    { header: 'NAME', value: (row: (typeof rows)[number]) => row.name },
    { header: 'SIZE', value: (row: (typeof rows)[number]) => String(row.size), align: 'right' as const },
    { header: 'X', value: () => '' },
  ];
  assert.equal(renderTable(rows, columns, plain), 'NAME  SIZE  X\n日本     5\na     1234\n');
});

test('humanSize', () => {
  const cases: [number, string][] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1 kB'],
    [2500, '2.5 kB'],
    [99_940, '99.9 kB'],
    [99_960, '100 kB'],
    [999_600, '1 MB'],
    [409_000_000, '409 MB'],
    [4e15, '4000 TB'],
  ];
  for (const [bytes, text] of cases) assert.equal(humanSize(bytes), text);
});

test('humanDuration', () => {
  const cases: [number, string][] = [
    [0.4, '0 s'],
    [59, '59 s'],
    [200, '3 min 20 s'],
    [7500, '2 h 5 min'],
    [7200, '2 h'],
    [90_000, '1 day'],
    [400_000, '4 days'],
  ];
  for (const [seconds, text] of cases) assert.equal(humanDuration(seconds), text);
});

test('nameList and conjugate', () => {
  assert.equal(nameList([]), 'no nodes');
  assert.equal(nameList(['a']), 'a');
  assert.equal(nameList(['a', 'b', 'c']), 'a, b and c');
  assert.equal(nameList(['a', 'b', 'c', 'd', 'e', 'f']), '6 nodes');
  assert.equal(conjugate(['a'], 'is', 'are'), 'is');
  assert.equal(conjugate([], 'is', 'are'), 'are');
});

test('nearest guesses typing errors, and nothing far-fetched', () => {
  const known = ['reboot', 'remove', 'release', 'rename', 'show'];
  const cases: [string, string | undefined][] = [
    ['rebot', 'reboot'],
    ['erboot', 'reboot'],
    ['sho', 'show'],
    ['boot', undefined],
    ['xyz', undefined],
  ];
  for (const [word, guess] of cases) assert.equal(nearest(word, known), guess, word);
  assert.equal(editDistance('ab', 'ba'), 1);
  assert.equal(editDistance('', 'abc'), 3);
});

describe('progress', () => {
  test('amounts', () => {
    const progress = { type: 'progress' as const, step: 'x' };
    assert.equal(renderAmount(progress), '');
    assert.equal(renderAmount({ ...progress, done: 12e6, total: 246e6, unit: 'bytes' }), '12 MB of 246 MB');
    assert.equal(renderAmount({ ...progress, done: 39.6, unit: 'percent' }), '40 %');
    assert.equal(renderAmount({ ...progress, done: 2, total: 3, unit: 'nodes' }), '2 of 3 nodes');
    assert.equal(renderAmount({ ...progress, done: 2, unit: 'layers' }), '2 layers');
  });

  test('the live line fits the terminal', () => {
    const long = {
      type: 'progress' as const,
      step: 'y'.repeat(200),
      done: 1,
      total: 2,
      unit: 'layers' as const,
    };
    const line = renderLive(long, 61, '*', 80, plain);
    assert.ok(displayWidth(line) <= 80);
    assert.match(line, /…/);
    assert.match(line, /██████████░░░░░░░░░░ {2}1 of 2 layers {2}1 min 1 s$/);
  });

  test('percent fills the bar', () => {
    const half = { type: 'progress' as const, step: 'x', done: 50, unit: 'percent' as const };
    assert.match(renderLive(half, 0, '*', 80, plain), /█{10}░{10} {2}50 %/);
  });
});

describe('failures', () => {
  /** The shape of an oRPC error. */
  const serverError = (code: string, data: unknown) =>
    Object.assign(new Error('What happened.'), { defined: true, code, status: 400, data });
  const cases: [name: string, error: unknown, code: string, status: number, text: RegExp][] = [
    ['usage', new UsageError('No.', 'Yes.'), 'USAGE', 2, /^walt: No\.\n {2}→ Yes\.\n$/],
    ['no hint', new AbortError('X', 'No.', ''), 'X', 1, /^walt: No\.\n$/],
    [
      'server',
      serverError('NOT_FOUND', { hint: 'Look.' }),
      'NOT_FOUND',
      1,
      /^walt: What happened\.\n {2}→ Look\.\n$/,
    ],
    ['server bug', serverError('INTERNAL_SERVER_ERROR', undefined), 'INTERNAL_SERVER_ERROR', 1, /met a bug/],
    ['our bug', new TypeError('oops'), 'BUG', 1, /This is a bug in walt\. TypeError: oops/],
    ['no error at all', 'text', 'BUG', 1, /text/],
  ];
  for (const [name, error, code, status, text] of cases) {
    test(name, () => {
      const failure = describeFailure(error);
      assert.deepEqual([failure.code, failure.status], [code, status]);
      assert.match(renderFailure(failure, false), text);
      assert.equal(JSON.parse(renderFailure(failure, true)).error.code, code);
    });
  }
});
