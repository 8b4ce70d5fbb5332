import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineBudget } from './line-budget.ts';

test('a console may print a boot at once, and is held to the speed of a serial line after that', () => {
  const budget = new LineBudget(0);
  const takes = (lines: number, now: number) =>
    Array.from({ length: lines }, () => budget.takes(100, now)).filter((taken) => taken).length;
  // Time in milliseconds, lines that come then, those that are kept.
  const rows = [
    [0, 8000, 8000],
    [0, 2000, 456],
    [1000, 10, 0], // 16 KiB are not worth it yet
    [3900, 10, 0],
    [4000, 1000, 528], // 64 KiB
    [4001, 1000, 0],
    [3_600_000, 20_000, 8456], // never more than at first
  ] as const;
  for (const [now, lines, kept] of rows) assert.equal(takes(lines, now), kept, `at ${now}`);
});

test('it is told when lines are kept again', () => {
  const budget = new LineBudget(0);
  assert.equal(budget.wait(0), 0);
  while (budget.takes(1000, 0));
  assert.ok(budget.wait(0) > 3900 && budget.wait(0) <= 4000, String(budget.wait(0)));
  assert.equal(budget.wait(4000), 0);
  // A clock that goes back gives nothing.
  assert.equal(budget.wait(0), 0);
});
