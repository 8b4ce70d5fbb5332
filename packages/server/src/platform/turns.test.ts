import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as pause } from 'node:timers/promises';
import { inParallel, KeyedTurns } from './turns.ts';

test('so many at a time, in their order; one that fails gives its place away, too', async () => {
  const turns = new KeyedTurns(2);
  const begun: number[] = [];
  const ends = [1, 2, 3, 4].map(() => Promise.withResolvers<void>());
  const taken = ends.map(({ promise }, index) =>
    turns.take('key', async () => {
      begun.push(index + 1);
      await promise;
      return index + 1;
    }),
  );
  assert.deepEqual(begun, [1, 2]);
  assert.equal(await turns.take('other', async () => 'has turns of its own'), 'has turns of its own');
  ends[1]?.reject(new Error('two fails'));
  await assert.rejects(taken[1] ?? Promise.resolve(), /two fails/);
  assert.deepEqual(begun, [1, 2, 3]);
  ends[0]?.resolve();
  assert.equal(await taken[0], 1);
  assert.deepEqual(begun, [1, 2, 3, 4]);
  ends[2]?.resolve();
  ends[3]?.resolve();
  assert.deepEqual(await Promise.all([taken[2], taken[3]]), [3, 4]);
});

test('so many of a list at a time; a failure begins no more of them, and is told when all have ended', async () => {
  const begun: number[] = [];
  const ends = [1, 2, 3, 4].map(() => Promise.withResolvers<void>());
  let isTold = false;
  const all = inParallel(ends.entries(), 2, async ([index, { promise }]) => {
    begun.push(index + 1);
    await promise;
  });
  all
    .catch(() => {})
    .finally(() => {
      isTold = true;
    });
  assert.deepEqual(begun, [1, 2]);
  ends[1]?.resolve();
  await pause();
  assert.deepEqual(begun, [1, 2, 3]);
  ends[2]?.reject(new Error('three fails'));
  await pause();
  assert.equal(isTold, false);
  ends[0]?.reject(new Error('one fails later'));
  await assert.rejects(all, /three fails/);
  assert.deepEqual(begun, [1, 2, 3]);
});

test('a list that is empty is done', () => inParallel([], 2, () => Promise.reject(new Error('called'))));
