import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { lastLines, linesOf } from './last-lines.ts';

const cases: [what: string, text: string, lines: string[]][] = [
  ['colours', '\x1b[1;31mred\x1b[0m and \x1b[32mgreen\x1b[m\r\n', ['red and green']],
  ['a screen that is cleared', '\x1b[2J\x1b[01;01H\x1bciPXE', ['iPXE']],
  ['a title', '\x1b]0;pwned\x07here\n\x1b]2;more\x1b\\there', ['here', 'there']],
  ['a title without an end', 'before\x1b]0;pwned', ['before']],
  ['single characters', '\x07a\x08b\x7fc\x9bd\te', ['abcde']],
  ['empty lines', '\n\n \r\n\x1b[0m\nx\n', ['x']],
  ['brackets', '[  OK  ] Started\n\r[    1.5] kernel', ['[  OK  ] Started', '[    1.5] kernel']],
  ['a long line', 'x'.repeat(5000), ['x'.repeat(200)]],
  ['many lines', Array.from({ length: 50 }, (_, index) => `${index}`).join('\n'), range(38, 50)],
];
for (const [what, text, lines] of cases) {
  test(`of ${what}, text is left`, () => assert.deepEqual(linesOf(text, false), lines));
}

test('the end of a file, from a whole line on; no file, no lines', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-console-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'console.log');
  assert.deepEqual(await lastLines(path), []);
  await writeFile(path, `${'y'.repeat(20_000)}\nlast é\n`);
  assert.deepEqual(await lastLines(path), ['last é']);
  await writeFile(path, 'one\ntwo');
  assert.deepEqual(await lastLines(path), ['one', 'two']);
});

function range(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => String(from + index));
}
