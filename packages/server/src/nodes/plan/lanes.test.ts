import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Errand, Lanes } from './lanes.ts';

/** Errands that wait until they are let go, and what was begun. */
function held() {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const errand = (key: string): Errand<string> => ({
    key,
    run: async () => {
      begun.push(key);
      await new Promise<void>((resolve) => ends.set(key, resolve));
      return [`${key} done`];
    },
  });
  return { begun, errand, end: (key: string) => ends.get(key)?.() };
}

test('errands are done in their order, so many at a time', async () => {
  const { begun, errand, end } = held();
  const lanes = new Lanes<string>(2);
  const ended = lanes.plan(['a', 'b', 'c'].map(errand));
  assert.deepEqual(begun, ['a', 'b']);
  end('b');
  await lanes.underWay.get('b');
  assert.deepEqual(
    [begun, [...lanes.underWay.keys()]],
    [
      ['a', 'b', 'c'],
      ['a', 'c'],
    ],
  );
  end('c');
  end('a');
  assert.deepEqual((await ended).toSorted(), ['a done', 'b done', 'c done']);
  assert.deepEqual(await lanes.plan([]), []);
});

test('a newer plan takes the place of what has not begun, and who waits for that is told what came of it', async () => {
  const { begun, errand, end } = held();
  const lanes = new Lanes<string>(1);
  const first = lanes.plan(['a', 'b', 'c'].map(errand));
  const second = lanes.plan([errand('c')]);
  end('a');
  await lanes.underWay.get('a');
  assert.deepEqual(begun, ['a', 'c']);
  end('c');
  assert.deepEqual([await first, await second], [['a done', 'c done'], ['c done']]);
});

test('who stops waits for what has begun, and begins nothing more', async () => {
  const { begun, errand, end } = held();
  const lanes = new Lanes<string>(1);
  const ended = lanes.plan(['a', 'b'].map(errand));
  const stopped = lanes.stop();
  end('a');
  await stopped;
  assert.deepEqual([begun, await ended], [['a'], ['a done']]);
});
