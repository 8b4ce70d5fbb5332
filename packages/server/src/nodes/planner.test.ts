import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BOOT_RETRIES,
  BOOT_TIMEOUT,
  type DesiredNode,
  type Machine,
  type Observed,
  ORDER_TIMEOUT,
  plan,
  type Step,
} from './planner.ts';

const NOW = 10_000;
const machine: Machine = { id: 1, model: 'pc-x86-64', mac: '52:54:00:00:00:01', cpuCores: 2, ramMiB: 512 };
const node: DesiredNode = {
  id: 1,
  mac: machine.mac,
  ip: '10.73.0.2',
  name: 'vnode1',
  machine,
  generation: 1,
  hard: false,
  served: 1,
  servedAt: NOW - 60,
  bootedAt: NOW - 40,
  persist: [{ id: 5, folder: '/state/persist/alice/1' }],
  tree: null,
};
const hosts = [{ mac: node.mac, ip: node.ip, name: node.name }];
const exports = [{ id: 5, folder: '/state/persist/alice/1', ip: node.ip }];
const settled: Observed = {
  machines: new Set([1]),
  watched: new Set([1]),
  hosts,
  exports,
  trees: [],
  agents: new Map([[1, 1]]),
  since: NOW - 1000,
  attempts: new Map(),
};

const kinds = (steps: Step[]) => steps.map((step) => step.kind);

test('a world that is as it should be needs no step', () => {
  assert.deepEqual(plan([node], settled, NOW), []);
});

test('after a start nothing is known: addresses and exports come before machines', () => {
  const observed = { ...settled, machines: new Set<number>(), hosts: null, exports: null };
  assert.deepEqual(plan([node], observed, NOW), [
    { kind: 'setHosts', hosts },
    { kind: 'setExports', exports, trees: [] },
    { kind: 'startMachine', machine, generation: 1 },
  ]);
});

test('a machine without a node is removed, a physical node has none', () => {
  assert.deepEqual(kinds(plan([], settled, NOW)), ['setHosts', 'setExports', 'removeMachine']);
  const physical = { ...node, machine: null };
  assert.deepEqual(plan([physical], { ...settled, machines: new Set() }, NOW), []);
});

test('a machine that an earlier server started is adopted', () => {
  const observed = { ...settled, watched: new Set<number>() };
  assert.deepEqual(plan([node], observed, NOW), [{ kind: 'startMachine', machine, generation: 1 }]);
});

test('a renamed node changes names only', () => {
  assert.deepEqual(kinds(plan([{ ...node, name: 'other' }], settled, NOW)), ['setHosts']);
});

const resetStep = (generation: number): Step => ({ kind: 'resetMachine', machine, generation });
const orderStep: Step = { kind: 'orderReboot', id: 1, generation: 2 };
const due = { ...node, generation: 2 };
const attempt = (how: 'order' | 'reset', age: number, resets = 0, generation = 2) =>
  new Map([[1, { generation, how, at: NOW - age, resets }]]);
const silent = new Map<number, number>();
const physical = { ...due, machine: null };
const none = new Set<number>();

const reboots: [string, DesiredNode, Partial<Observed>, Step[]][] = [
  ['is an order where the agent listens', due, {}, [orderStep]],
  ['is a reset where nobody listens', due, { agents: silent }, [resetStep(2)]],
  ['is a reset when it is to be hard', { ...due, hard: true }, {}, [resetStep(2)]],
  [
    'of a physical node is an order even when hard',
    { ...physical, hard: true },
    { machines: none },
    [orderStep],
  ],
  ['of a silent physical node waits for its power', physical, { agents: silent, machines: none }, []],
  ['that was just ordered is left alone', due, { attempts: attempt('order', 5) }, []],
  [
    'whose order had no effect becomes a reset',
    due,
    { attempts: attempt('order', ORDER_TIMEOUT + 1) },
    [resetStep(2)],
  ],
  ['that an older attempt was for starts anew', due, { attempts: attempt('reset', 1, 3, 1) }, [orderStep]],
  [
    'of a machine that does not run is its start',
    due,
    { machines: new Set() },
    [{ kind: 'startMachine', machine, generation: 2 }],
  ],
];
for (const [name, desired, observed, steps] of reboots) {
  test(`a reboot ${name}`, () => {
    assert.deepEqual(plan([desired], { ...settled, ...observed }, NOW), steps);
  });
}

const unseen = { ...node, served: null, servedAt: null, bootedAt: null };
const stuck = { ...node, bootedAt: null, servedAt: NOW - BOOT_TIMEOUT - 1 };
const boots: [string, DesiredNode, Partial<Observed>, Step[]][] = [
  ['is reset when its time is over', stuck, {}, [resetStep(1)]],
  ['has time while it is young', { ...stuck, servedAt: NOW - 10 }, {}, []],
  ['has its time again after a reset', stuck, { attempts: attempt('reset', 10, 1, 1) }, []],
  ['is reset again', stuck, { attempts: attempt('reset', BOOT_TIMEOUT + 1, 1, 1) }, [resetStep(1)]],
  ['is given up', stuck, { attempts: attempt('reset', BOOT_TIMEOUT + 1, BOOT_RETRIES, 1) }, []],
  ['and was never served is reset', unseen, { agents: silent }, [resetStep(1)]],
  ['and was never served has time after a restart', unseen, { agents: silent, since: NOW - 1 }, []],
  ['has its time again after a restart of the server', stuck, { since: NOW - 1 }, []],
];
for (const [name, desired, observed, steps] of boots) {
  test(`a boot that does not come up ${name}`, () => {
    assert.deepEqual(plan([desired], { ...settled, ...observed }, NOW), steps);
  });
}
