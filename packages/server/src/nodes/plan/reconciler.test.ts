import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Observed, Step } from './plan.ts';
import { Reconciler } from './reconciler.ts';

const empty: Observed = {
  machines: new Set(),
  watched: new Set(),
  hosts: [],
  exports: [],
  trees: [],
  agents: new Map(),
  heard: new Map(),
  since: 0,
  attempts: new Map(),
};
const silent = { info() {}, warn() {}, error() {} };
const nothing = { nodes: [], removed: [] };

test('a pass that cannot tell what should be, or what is, has failed', async () => {
  const error = new Error('the disk is full');
  for (const part of ['desired', 'observe'] as const) {
    const reconciler = new Reconciler({
      desired: async () => nothing,
      observe: async () => empty,
      carryOut: async () => {},
      log: silent,
      [part]: () => Promise.reject(error),
    });
    assert.deepEqual(await reconciler.reconcile(), [{ step: undefined, error }], part);
  }
});

test('a step that failed is answered, and tried again by the next pass', async () => {
  const tried: Step[] = [];
  const reconciler = new Reconciler({
    desired: async () => ({ nodes: [], removed: [7] }),
    observe: async () => empty,
    carryOut: async (step) => {
      tried.push(step);
      if (tried.length === 1) throw new Error('busy');
    },
    log: silent,
  });
  const step = { kind: 'forgetNode', id: 7 };
  assert.deepEqual(await reconciler.reconcile(), [{ step, error: new Error('busy') }]);
  assert.deepEqual(await reconciler.reconcile(), []);
  assert.deepEqual(tried, [step, step]);
});
