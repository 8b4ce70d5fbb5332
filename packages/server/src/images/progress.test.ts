import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withReports } from './progress.ts';

test('reports, then the result', async () => {
  const gate = Promise.withResolvers<void>();
  const call = withReports(async (report) => {
    report('one', { done: 1, total: 2, unit: 'layers' });
    await gate.promise;
    report('two');
    return 7;
  });
  assert.deepEqual((await call.next()).value, {
    type: 'progress',
    step: 'one',
    done: 1,
    total: 2,
    unit: 'layers',
  });
  gate.resolve();
  assert.deepEqual(await call.next(), { done: false, value: { type: 'progress', step: 'two' } });
  assert.deepEqual(await call.next(), { done: true, value: 7 });
});

test('a slow reader gets the latest report', async () => {
  const call = withReports(async (report) => {
    for (const step of ['one', 'two', 'three']) report(step);
    return 7;
  });
  assert.deepEqual((await call.next()).value, { type: 'progress', step: 'three' });
  assert.deepEqual(await call.next(), { done: true, value: 7 });
});

test('the error comes out', async () => {
  const call = withReports(async () => {
    throw new RangeError('no');
  });
  await assert.rejects(call.next(), RangeError);
});

test('who stops reading does not stop the work', async () => {
  const gate = Promise.withResolvers<void>();
  let ended = false;
  const call = withReports(async (report) => {
    report('one');
    await gate.promise;
    ended = true;
    throw new Error('nobody hears it');
  });
  await call.next();
  await call.return(undefined as never);
  gate.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(ended, true);
});
