import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable } from './printable.ts';

const cases: [text: string, shown: string][] = [
  ['plain, ü and 漢', 'plain, ü and 漢'],
  [' \n ends \n', 'ends'],
  ['\x1b[31mred\x07', '?[31mred?'],
  ['C1 \u009b31m', 'C1 ?31m'],
  ['turned \u202ename', 'turned ?name'],
  ['two\nlines\u2028three', 'two?lines?three'],
  ['x'.repeat(161), `${'x'.repeat(80)}…${'x'.repeat(80)}`],
];

for (const [text, shown] of cases) {
  test(`shows ${JSON.stringify(text).slice(0, 40)}`, () => assert.equal(printable(text), shown));
}
