import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeldImages } from './held-images.ts';

test('an image is held until the last one lets go of it, and as long as that one says', () => {
  let now = 0;
  const images = new HeldImages(() => now);
  const first = images.hold('a', ['1', '2']);
  const second = images.hold('a', ['1', '2']);
  images.hold('b', ['2', '3']);
  first.release();
  assert.deepEqual([...images.digests()], ['a', 'b']);
  second.release(60);
  now = 59_999;
  assert.deepEqual([...images.layers()], ['1', '2', '3']);
  now = 60_000;
  assert.deepEqual([...images.digests()], ['b']);
});

test('an image that got a name is held only by those who work with it', () => {
  const images = new HeldImages(() => 0);
  images.hold('a', []).release(60);
  const work = images.hold('a', []);
  images.claim('a');
  assert.deepEqual([...images.digests()], ['a']);
  work.release();
  assert.deepEqual([...images.digests()], []);
});
