/** Table tests of the pure parts that read what users type. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { landing, requireFolderFor } from './images/copy/destination.ts';
import { renderChanges } from './images/shell/changes.ts';
import { duration, wholeNumber } from './options.ts';
import { escapeParser } from './terminal/escape.ts';
import { nodeSets } from './words/completion-values.ts';

test('duration in seconds', () => {
  for (const [text, seconds] of [
    ['90', 90],
    ['90s', 90],
    ['5m', 300],
    ['1h', 3600],
  ] as const) {
    assert.equal(duration(text), seconds);
  }
  for (const text of ['0', '', 's', '-5', '1d']) assert.throws(() => duration(text), /90, 90s, 5m or 1h/);
});

test('wholeNumber', () => {
  assert.equal(wholeNumber(1)('7'), 7);
  for (const text of ['0', '1.5', 'x', '1e3', ''])
    assert.throws(() => wholeNumber(1)(text), /whole number, 1 or more/);
});

test('escape key', () => {
  const cases: [pieces: string[], sent: string, quit: boolean][] = [
    [['plain'], 'plain', false],
    [['a\x01d', 'late'], 'a', true],
    [['a\x01', 'd'], 'a', true],
    [['\x01ab'], '\x01b', false],
    [['\x01\x01b'], '\x01b', false],
    [['\x01x'], '\x01x', false],
  ];
  for (const [pieces, sent, quit] of cases) {
    const parse = escapeParser();
    let all = '';
    let over = false;
    for (const piece of pieces) {
      if (over) break;
      const typed = parse(Buffer.from(piece));
      all += typed.bytes.toString();
      over = typed.quit;
    }
    assert.deepEqual([all, over], [sent, quit], JSON.stringify(pieces));
  }
});

test('a slash behind a destination asks for a folder', () => {
  const cases: [destination: string, there: 'file' | 'folder' | null, code: string | undefined][] = [
    ['/new', null, undefined],
    ['/new/', null, 'NOT_FOUND'],
    ['/new/.', null, 'NOT_FOUND'],
    ['/file', 'file', undefined],
    ['/file/', 'file', 'CONFLICT'],
    ['/folder/', 'folder', undefined],
    ['/', 'folder', undefined],
  ];
  for (const [destination, there, code] of cases) {
    const act = () => requireFolderFor(destination, there, 'img');
    if (code === undefined) act();
    else assert.throws(act, { code }, destination);
  }
});

test('landing, by the rules of cp', () => {
  const cases: [
    source: string,
    destination: string,
    folder: boolean,
    where: string,
    name: string | undefined,
  ][] = [
    ['/a/b', '/dst', true, '/dst', 'b'],
    ['/a/b/', '/dst', true, '/dst', 'b'],
    ['/a/b/.', '/dst', true, '/dst', undefined],
    ['.', '/dst', true, '/dst', undefined],
    ['/', '/dst', true, '/dst', undefined],
    ['/a/b', '/dst/new', false, '/dst', 'new'],
    ['/a/b', '/dst/new/', false, '/dst', 'new'],
    ['/a/b', 'new', false, '.', 'new'],
    ['/a/b/.', '/new', false, '/', 'new'],
  ];
  for (const [source, destination, isFolder, folder, name] of cases) {
    assert.deepEqual(landing(source, destination, isFolder), { folder, name }, `${source} ${destination}`);
  }
});

test('a set is completed name by name', () => {
  assert.deepEqual(nodeSets('a,', ['a', 'b']), ['a,b', 'a,my-nodes', 'a,free-nodes', 'a,all-nodes']);
  assert.deepEqual(nodeSets('', ['a']), ['a', 'my-nodes', 'free-nodes', 'all-nodes']);
});

test('the changes of a session in a few lines', () => {
  const sample = Array.from({ length: 20 }, (_, index) => `A /f${index}`);
  const text = renderChanges({ added: 30, modified: 0, deleted: 1, sample });
  assert.match(text, /^You changed files: 30 added, 1 deleted\.\n {2}A \/f0\n/);
  assert.match(text, /\n {2}and 23 more$/);
  const hostile = renderChanges({ added: 1, modified: 0, deleted: 0, sample: ['A /a\x1b[2J\nb'] });
  assert.match(hostile, /\n {2}A \/a\\x1b\[2J\\x0ab$/);
});
