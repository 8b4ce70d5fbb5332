import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { rarely } from './rarely.ts';

test('a line is written once in a while for each peer, and tells how many were left out', async () => {
  const lines: string[] = [];
  const say = rarely((message, fields) => lines.push(`${message} ${JSON.stringify(fields)}`), 100);
  for (let at = 0; at < 5; at += 1) for (const peer of ['a', 'b']) say('busy', { peer }, peer);
  assert.deepEqual(lines, ['busy {"peer":"a"}', 'busy {"peer":"b"}']);
  await delay(110);
  say('busy', { peer: 'a' }, 'a');
  assert.equal(lines.at(-1), 'busy {"peer":"a","more":4}');
});

test('peers without number cost neither memory nor lines without end', () => {
  let lines = 0;
  const say = rarely(() => {
    lines += 1;
  });
  for (let at = 0; at < 100_000; at += 1) say('busy', {}, String(at));
  assert.ok(lines <= 1001, String(lines));
});
