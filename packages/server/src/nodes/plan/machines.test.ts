import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Machine } from '../virtual/index.ts';
import { awaitsStart, isSucceeded, type MachineWish, planMachines } from './machines.ts';
import { machine, node } from './plan.fixture.ts';

const start = [{ kind: 'startMachine', machine, ip: '10.73.0.2', generation: 1 }];
const running = (ids: readonly number[]) => new Map(ids.map((id) => [id, { cycle: 'first', since: 0 }]));
const physical = { ...node, machine: null };

const rows: [name: string, nodes: MachineWish[], runs: number[], watched: Machine[], steps: object[]][] = [
  ['that runs is left alone', [node], [1], [machine], []],
  ['that is to be another one hears so', [node], [1], [{ ...machine, ramMiB: 1024 }], start],
  ['that does not run is started', [node], [], [], start],
  ['that ended for good is started', [node], [], [machine], start],
  ['that an earlier server started is adopted', [node], [1], [], start],
  ['without a node is removed', [], [1], [machine], [{ kind: 'removeMachine', id: 1 }]],
  [
    'of a node that became a physical one is removed',
    [physical],
    [1],
    [],
    [{ kind: 'removeMachine', id: 1 }],
  ],
  ['that only a newer server knows is left alone', [{ ...node, machine: 'unknown' }], [1], [machine], []],
  ['that only a newer server knows is not started', [{ ...node, machine: 'unknown' }], [], [], []],
  ['is nothing that a physical node has', [physical], [], [], []],
];
for (const [name, nodes, runs, watched, steps] of rows) {
  test(`a machine ${name}`, () => {
    assert.deepEqual(
      planMachines(nodes, { machines: running(runs), watched: new Map(watched.map((one) => [one.id, one])) }),
      steps,
    );
  });
}

test('only a node whose machine does not run awaits its start', () => {
  const [one, none] = [running([1]), running([])];
  assert.deepEqual(
    [awaitsStart(node, { machines: none }), awaitsStart(node, { machines: one })],
    [true, false],
  );
  assert.equal(awaitsStart(physical, { machines: none }), false);
});

test('a machine succeeds the one that was served when both are known, and are not the same', () => {
  assert.deepEqual([isSucceeded('first', 'second'), isSucceeded('first', 'first')], [true, false]);
  assert.deepEqual([isSucceeded(null, 'second'), isSucceeded('first', undefined)], [false, false]);
});
