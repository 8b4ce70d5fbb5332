import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countLines, wholeFile } from './content-diff.ts';

const cases: [what: string, was: string, is: string, patch: string][] = [
  ['a new line', '', 'x\n', '--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+x\n'],
  ['new lines', '', 'x\n\n', '--- /dev/null\n+++ b/f\n@@ -0,0 +1,2 @@\n+x\n+\n'],
  [
    'a line that does not end',
    '',
    'x',
    '--- /dev/null\n+++ b/f\n@@ -0,0 +1 @@\n+x\n\\ No newline at end of file\n',
  ],
  ['a file that is gone', '-x\ny\n', '', '--- a/f\n+++ /dev/null\n@@ -1,2 +0,0 @@\n--x\n-y\n'],
];

for (const [what, was, is, patch] of cases) {
  test(`a whole file as unified diff: ${what}`, () => {
    const labels = was === '' ? (['/dev/null', 'b/f'] as const) : (['a/f', '/dev/null'] as const);
    assert.equal(wholeFile([was, is], labels), patch);
  });
}

test('lines that look like a head are counted', () => {
  const patch = '--- a/f\n+++ b/f\n@@ -1,2 +1,3 @@\n---- x\n++++ y\n+z\n same\n';
  assert.deepEqual(countLines(patch), { added: 2, removed: 1 });
});
