import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_FORMAT, readFormat } from './line-format.ts';

const time = new Date(2026, 2, 5, 14, 7, 9).getTime() * 1000 + 42;
const line = { time, issuer: 'n1', stream: 'app', line: 'ready' };

const formats: [format: string, printed: string][] = [
  [DEFAULT_FORMAT, '14:07:09.000042 n1.app -> ready'],
  ['{timestamp}', '2026-03-05 14:07:09.000042'],
  ['{timestamp:%a %d %b %Y %I %p, day %j, 100%%}', 'Thu 05 Mar 2026 02 PM, day 064, 100%'],
  ['{{{line}}}', '{ready}'],
  ['{issuer:>5}|{stream:<5}|{line:^9}|', '   n1|app  |  ready  |'],
  ['{line:*<8.3}', 'rea*****'],
  ['', ''],
];

for (const [format, printed] of formats) {
  test(`format ${format}`, () => assert.equal(readFormat(format)(line), printed));
}

for (const format of [
  '{',
  '}',
  '{nobody}',
  '{line',
  '{line:%H}',
  '{timestamp:%Q}',
  '{}',
  '{line.__class__}',
  '{timestamp:%}',
]) {
  test(`${format} is no format`, () => assert.throws(() => readFormat(format), { code: 'INVALID' }));
}
