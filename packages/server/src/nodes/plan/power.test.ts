import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planReset } from './power.ts';

test('a node is reset by whoever can', () => {
  const node = { id: 1, generation: 2 };
  assert.deepEqual(planReset({ ...node, power: { reset: true } }), [
    { kind: 'resetPower', id: 1, generation: 2 },
  ]);
  assert.deepEqual(planReset({ ...node, power: { reset: false } }), []);
});
