import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { rarely } from './rarely.ts';

test('a line is written once in a while for each peer, and tells how many were left out', async () => {
  const lines: string[] = [];
  const say = rarely((message, fields) => lines.push(`${message} ${JSON.stringify(fields)}`), 100);
  for (let at = 0; at < 5; at += 1) for (const peer of ['a', 'b']) say('busy', { peer }, peer);
  assert.deepEqual(lines, ['busy {"peer":"a"}', 'busy {"peer":"b"}']);
  for (let round = 0; round < 100 && lines.length < 4; round += 1) await delay(10);
  assert.deepEqual(lines.slice(2), ['busy {"peer":"a","more":4}', 'busy {"peer":"b","more":4}']);
});

test('peers without number cost neither memory nor lines without end', () => {
  let lines = 0;
  const say = rarely(() => {
    lines += 1;
  });
  for (let at = 0; at < 100_000; at += 1) say('busy', {}, String(at));
  assert.ok(lines <= 1001, String(lines));
});

test('what was left out is told, also when nobody says anything afterwards', async () => {
  const lines: string[] = [];
  const say = rarely((message, fields) => lines.push(`${message} ${JSON.stringify(fields)}`), 50);
  for (let report = 0; report < 3000; report += 1) say('cannot boot', { report }, 'node');
  say('cannot boot', {}, 'other');
  // The event is the line itself.
  for (let round = 0; round < 100 && lines.length < 3; round += 1) await delay(10);
  assert.deepEqual(lines, [
    'cannot boot {"report":0}',
    'cannot boot {}',
    'cannot boot {"report":2999,"more":2999}',
  ]);
  await delay(200);
  assert.equal(lines.length, 3, 'once');
});
