import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { rarely } from './rarely.ts';

const PERIOD = 1000;

/** What is written, by a clock that only `tick` moves. */
function journal(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const lines: string[] = [];
  let now = 0;
  const write = (message: string, fields = {}) => lines.push(`${message} ${JSON.stringify(fields)}`);
  const tick = (milliseconds: number) => {
    now += milliseconds;
    t.mock.timers.tick(milliseconds);
  };
  return { lines, say: rarely(write, PERIOD, () => now), tick };
}

test('a line is written once in a while for each peer, and tells how many were left out', (t) => {
  const { lines, say, tick } = journal(t);
  for (let at = 0; at < 5; at += 1) for (const peer of ['a', 'b']) say('busy', { peer }, peer);
  assert.deepEqual(lines.splice(0), ['busy {"peer":"a"}', 'busy {"peer":"b"}']);
  tick(PERIOD);
  assert.deepEqual(lines.splice(0), ['busy {"peer":"a","more":4}', 'busy {"peer":"b","more":4}']);
  say('busy', { peer: 'a' }, 'a');
  assert.deepEqual(lines, []);
  tick(2 * PERIOD);
  assert.deepEqual(lines.splice(0), ['busy {"peer":"a","more":1}']);
});

test('peers without number cost neither memory nor lines without end', () => {
  let lines = 0;
  const say = rarely(
    () => {
      lines += 1;
    },
    PERIOD,
    () => 0,
  );
  for (let at = 0; at < 100_000; at += 1) say('busy', {}, String(at));
  assert.ok(lines <= 1001, String(lines));
});

test('what was left out is told, also when nobody says anything afterwards', (t) => {
  const { lines, say, tick } = journal(t);
  for (let report = 0; report < 3000; report += 1) say('cannot boot', { report }, 'node');
  say('cannot boot', {}, 'other');
  tick(PERIOD);
  assert.deepEqual(lines, [
    'cannot boot {"report":0}',
    'cannot boot {}',
    'cannot boot {"report":2999,"more":2999}',
  ]);
  tick(10 * PERIOD);
  assert.equal(lines.length, 3, 'once');
});
