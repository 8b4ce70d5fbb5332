import assert from 'node:assert/strict';
import { test } from 'node:test';
import { machine, node } from './plan.fixture.ts';
import { nodeOf, type Observed, type Step } from './plan.ts';
import { Reconciler } from './reconciler.ts';

const empty: Observed = {
  machines: new Map(),
  watched: new Map(),
  lastSteps: new Map(),
  hosts: [],
  exports: [],
  trees: [],
  routed: [],
  taps: [],
  exposed: new Map(),
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
      noteTrouble() {},
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
    noteTrouble() {},
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

test('a step that fails again and again is told once, and again when it fails in another way', async () => {
  const told: unknown[] = [];
  const ways = ['busy', 'busy', 'gone', '', 'gone'];
  const reconciler = new Reconciler({
    desired: async () => ({ nodes: [], removed: [7] }),
    observe: async () => empty,
    noteTrouble() {},
    carryOut: async () => {
      const way = ways.shift();
      if (way) throw new Error(way);
    },
    log: { ...silent, error: (_message, fields) => told.push(fields?.error) },
  });
  for (const _way of [...ways]) await reconciler.reconcile();
  assert.deepEqual(told, ['Error: busy', 'Error: gone', 'Error: gone']);
});

test('a node whose machine only a newer server knows is told of, and nothing else waits for it', async () => {
  const other = { ...node, id: 2, machine: { ...machine, id: 2 } };
  const steps: string[] = [];
  const reconciler = new Reconciler({
    desired: async () => ({ nodes: [{ ...node, machine: 'unknown', bootedAt: null }, other], removed: [] }),
    observe: async () => empty,
    noteTrouble() {},
    carryOut: async (step) => void steps.push(`${step.kind} ${nodeOf(step) ?? ''}`),
    log: silent,
  });
  assert.deepEqual(await reconciler.reconcile(), []);
  assert.deepEqual([...reconciler.troubles], [[1, 'unknown']]);
  assert.deepEqual(steps, ['setHosts ', 'setExports ', 'startMachine 2']);
});

test('a node that no step brings further is told once, for as long as that lasts', async () => {
  const deaf = { ...node, machine: null, power: { reset: false, on: false }, served: null };
  const nodes = [deaf];
  const warned: unknown[] = [];
  const reconciler = new Reconciler({
    desired: async () => ({ nodes, removed: [] }),
    observe: async () => empty,
    noteTrouble() {},
    carryOut: async () => {},
    log: { ...silent, warn: (message, fields) => warned.push([message, fields]) },
  });
  await reconciler.reconcile();
  await reconciler.reconcile();
  assert.deepEqual([...reconciler.troubles], [[1, 'deaf']]);
  assert.deepEqual(warned, [['node does not hear its order to boot, and nobody has its power', { node: 1 }]]);
  nodes.pop();
  await reconciler.reconcile();
  assert.deepEqual([...reconciler.troubles], []);
  nodes.push(deaf);
  await reconciler.reconcile();
  assert.equal(warned.length, 2, 'what comes again is told again');
});

test('a machine that takes long to start keeps no other node from its address, and is not started twice', async () => {
  const begun: string[] = [];
  const machines = new Map<number, { cycle: string; since: number }>();
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const reconciler = new Reconciler({
    desired: async () => ({ nodes: [{ ...node, machine }], removed: [] }),
    observe: async () => ({ ...empty, machines: new Map(machines), watched: new Map([[1, machine]]) }),
    noteTrouble() {},
    carryOut: async (step) => {
      begun.push(`${step.kind} ${nodeOf(step) ?? ''}`);
      if (step.kind !== 'startMachine') return;
      await held;
      machines.set(step.machine.id, { cycle: '1', since: 0 });
    },
    log: silent,
  });
  const first = reconciler.reconcile();
  assert.deepEqual(await reconciler.prepare(), []);
  assert.deepEqual(begun, ['setHosts ', 'setExports ', 'startMachine 1']);
  begun.length = 0;
  const second = reconciler.reconcile();
  assert.deepEqual(await reconciler.prepare(), []);
  assert.deepEqual(begun, ['setHosts ', 'setExports ']);
  release();
  assert.deepEqual([await first, await second], [[], []]);
  assert.ok(!begun.includes('startMachine 1'));
  await reconciler.stop();
});

test('a server serves while its machines are being started', async () => {
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const begun: string[] = [];
  const reconciler = new Reconciler({
    desired: async () => ({ nodes: [{ ...node, machine }], removed: [] }),
    observe: async () => ({ ...empty, watched: new Map([[1, machine]]) }),
    noteTrouble() {},
    carryOut: async ({ kind }) => {
      begun.push(kind);
      if (kind === 'startMachine') await held;
    },
    log: silent,
  });
  await reconciler.start();
  assert.deepEqual(begun, ['setHosts', 'setExports', 'startMachine']);
  release();
  await reconciler.stop();
});

test('the pause after a long comparison ends when the reconciler is stopped', async () => {
  const reconciler = new Reconciler({
    desired: async () => {
      const { user, system } = process.cpuUsage();
      for (let now = { user, system }; now.user + now.system - user - system < 100_000; )
        now = process.cpuUsage();
      return nothing;
    },
    observe: async () => empty,
    noteTrouble() {},
    carryOut: async () => {},
    log: silent,
  });
  await reconciler.prepare();
  const waiting = reconciler.prepare();
  // Runs after all that waits for no timer, however busy the machine is.
  let isLater = false;
  setTimeout(() => {
    isLater = true;
  }, 200);
  await reconciler.stop();
  assert.deepEqual(await waiting, []);
  assert.ok(!isLater);
});
