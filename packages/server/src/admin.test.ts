/** `walt-server` with words that it does not understand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attempt, projectFile } from './platform/index.ts';

const cases: [words: string[], said: RegExp][] = [
  [['foo'], /^walt-server: Unknown command 'foo'\.\n {2}→ `walt-server --help` tells how it is used\.\n$/],
  [['start', '--bad'], /^walt-server: Unknown option '--bad'\.\n {2}→ `walt-server start --help` tells/],
  [['backup'], /^walt-server: Missing required argument 'folder'\.\n {2}→ `walt-server backup --help` tells/],
  [
    ['host', 'ad'],
    /^walt-server: Unknown command 'ad'\. \(Did you mean add\?\)\n {2}→ `walt-server host --help`/,
  ],
  [['host'], /^Usage: walt-server host /],
];
for (const [words, said] of cases) {
  test(`walt-server ${words.join(' ')}: what was wrong is told, with status 2`, async () => {
    const { status, stderr } = await attempt([projectFile('walt-server'), ...words]);
    assert.match(stderr, said);
    assert.equal(status, 2);
  });
}
