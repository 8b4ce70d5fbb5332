import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readRange } from './range.ts';

const NOW = Date.UTC(2026, 10, 28, 12) * 1000;
const CHECKPOINTS = new Map([
  ['start', NOW - 600e6],
  ['end-of-run', NOW - 60e6],
]);
const local = (text: string) => new Date(text).getTime() * 1000;

const ranges: [text: string, from: number | undefined, to: number | undefined][] = [
  ['full', undefined, undefined],
  [':', undefined, undefined],
  ['-5m:', NOW - 300e6, undefined],
  ['-2h:-30s', NOW - 7200e6, NOW - 30e6],
  [':-1d', undefined, NOW - 86_400e6],
  ['start:', NOW - 600e6, undefined],
  ['start:end-of-run', NOW - 600e6, NOW - 60e6],
  ['2026-11-28:', local('2026-11-28T00:00:00'), undefined],
  ['2026-11-28 10:00:', local('2026-11-28T10:00:00'), undefined],
  [
    '2026-11-28T10:00:01.5:2026-11-28 11:30',
    local('2026-11-28T10:00:01') + 5e5,
    local('2026-11-28T11:30:00'),
  ],
];

for (const [text, from, to] of ranges) {
  test(`range ${text}`, () => assert.deepEqual(readRange(text, NOW, CHECKPOINTS), { from, to }));
}

for (const text of [
  '',
  'x',
  'nowhere:',
  '-5x:',
  '5m:',
  'a:b:c',
  'end-of-run:start',
  '2026-13-45:',
  '--5m:',
  'full:',
]) {
  test(`${JSON.stringify(text)} is no range`, () => {
    assert.throws(() => readRange(text, NOW, CHECKPOINTS), { code: 'INVALID' });
  });
}
