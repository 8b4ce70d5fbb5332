import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Attempts } from './attempts.ts';

test('what was done for a generation adds up, and begins anew for the next one', () => {
  const attempts = new Attempts();
  const last = () => attempts.all().get(1);
  attempts.note(1, 1, 'order');
  const first = last()?.since;
  attempts.note(1, 1, 'order');
  assert.equal(last()?.since, first, 'it is the same kind since the first of them');
  attempts.note(1, 1, 'power');
  attempts.note(1, 1, 'power');
  assert.deepEqual([last()?.how, last()?.switched], ['power', 2]);
  attempts.note(1, 2, 'power');
  assert.equal(last()?.switched, 1);
  attempts.forget(1);
  assert.equal(last(), undefined);
});
