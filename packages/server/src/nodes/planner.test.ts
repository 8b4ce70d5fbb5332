import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AGENT_SILENCE,
  BOOT_RETRIES,
  BOOT_TIMEOUT,
  type DesiredNode,
  type Machine,
  type Observed,
  ORDER_PAUSE,
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
  persist: [{ id: 5, file: '/state/persist/alice/1' }],
  tree: null,
};
const hosts = [{ mac: node.mac, ip: node.ip, name: node.name }];
const exports = [{ id: 5, file: '/state/persist/alice/1', ip: node.ip }];
const settled: Observed = {
  machines: new Set([1]),
  watched: new Set([1]),
  hosts,
  exports,
  trees: [],
  agents: new Map([[1, NOW - 15]]),
  heard: new Map([[1, NOW - 15]]),
  since: NOW - 1000,
  attempts: new Map(),
};

const steps = (nodes: readonly DesiredNode[], observed: Observed, removed: readonly number[] = []) =>
  plan({ nodes, removed }, observed, NOW);
const kinds = (steps: Step[]) => steps.map((step) => step.kind);

test('a world that is as it should be needs no step', () => {
  assert.deepEqual(steps([node], settled), []);
});

test('after a start nothing is known: addresses and exports come before machines', () => {
  const observed = { ...settled, machines: new Set<number>(), hosts: null, exports: null };
  assert.deepEqual(steps([node], observed), [
    { kind: 'setHosts', hosts },
    { kind: 'setExports', exports, trees: [] },
    { kind: 'startMachine', machine, ip: '10.73.0.2', generation: 1 },
  ]);
});

test('a machine without a node is removed, a physical node has none', () => {
  assert.deepEqual(kinds(steps([], settled)), ['setHosts', 'setExports', 'removeMachine']);
  const physical = { ...node, machine: null };
  assert.deepEqual(steps([physical], { ...settled, machines: new Set() }), []);
});

test('what is stored of a removed node is deleted once its machine is gone', () => {
  const exported = { ...settled, hosts: [], exports: [] };
  assert.deepEqual(kinds(steps([], exported, [1])), ['removeMachine']);
  const off = { ...exported, machines: new Set<number>() };
  assert.deepEqual(steps([], off, [1]), [{ kind: 'forgetNode', id: 1 }]);
});

test('a machine that an earlier server started is adopted', () => {
  const observed = { ...settled, watched: new Set<number>() };
  assert.deepEqual(steps([node], observed), [
    { kind: 'startMachine', machine, ip: '10.73.0.2', generation: 1 },
  ]);
});

test('a renamed node changes names only', () => {
  assert.deepEqual(kinds(steps([{ ...node, name: 'other' }], settled)), ['setHosts']);
});

const resetStep = (generation: number): Step => ({ kind: 'resetMachine', machine, generation });
const orderStep: Step = { kind: 'orderReboot', id: 1, generation: 2 };
const due = { ...node, generation: 2 };
const attempt = (how: 'order' | 'reset', age: number, resets = 0, generation = 2, since = age) =>
  new Map([[1, { generation, how, at: NOW - age, since: NOW - since, resets }]]);
/** No agent waits; the last one was heard so many seconds ago. */
const silentFor = (seconds: number) => ({ agents: new Map(), heard: new Map([[1, NOW - seconds]]) });
const { agents: silent } = silentFor(0);
const asksAgain = new Map([[1, NOW - 1]]);
const physical = { ...due, machine: null };
const none = new Set<number>();

const reboots: [string, DesiredNode, Partial<Observed>, Step[]][] = [
  ['is an order where the agent listens', due, {}, [orderStep]],
  ['is a reset where nobody listens', due, silentFor(AGENT_SILENCE + 1), [resetStep(2)]],
  ['waits for an agent that is between two questions', due, silentFor(1), []],
  ['that is hard does not wait for it', { ...due, hard: true }, silentFor(1), [resetStep(2)]],
  [
    'waits for agents that had no time yet to ask this server',
    due,
    { agents: silent, heard: new Map(), since: NOW - 1 },
    [],
  ],
  [
    'that was not heard is ordered again',
    due,
    { agents: asksAgain, attempts: attempt('order', ORDER_PAUSE) },
    [orderStep],
  ],
  [
    'that was not heard by a physical node is ordered again, however long that takes',
    physical,
    { machines: none, agents: asksAgain, attempts: attempt('order', 600, 0, 2, 3600) },
    [orderStep],
  ],
  [
    'that is heard again and again without effect becomes a reset',
    due,
    { agents: asksAgain, attempts: attempt('order', ORDER_PAUSE, 0, 2, ORDER_TIMEOUT + 1) },
    [resetStep(2)],
  ],
  [
    'that was ordered is not repeated to an agent that was answered',
    physical,
    { machines: none, attempts: attempt('order', 600), ...silentFor(600) },
    [],
  ],
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
    [{ kind: 'startMachine', machine, ip: due.ip, generation: 2 }],
  ],
];
for (const [name, desired, observed, expected] of reboots) {
  test(`a reboot ${name}`, () => {
    assert.deepEqual(steps([desired], { ...settled, ...observed }), expected);
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
for (const [name, desired, observed, expected] of boots) {
  test(`a boot that does not come up ${name}`, () => {
    assert.deepEqual(steps([desired], { ...settled, ...observed }), expected);
  });
}
