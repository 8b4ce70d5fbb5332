import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planRemoval } from './removed.ts';

test('what is stored of a removed node is deleted once its machine is gone', () => {
  assert.deepEqual(planRemoval([1, 2], { machines: new Map([[1, { cycle: 'first', since: 0 }]]) }), [
    { kind: 'forgetNode', id: 2 },
  ]);
});
