import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exports, hosts, machine, NOW, node, settled } from './plan.fixture.ts';
import { type DesiredNode, type Observed, plan, type Step } from './plan.ts';

const steps = (nodes: readonly DesiredNode[], observed: Observed, removed: readonly number[] = []) =>
  plan({ nodes, removed }, observed, NOW);
const kinds = (steps: Step[]) => steps.map((step) => step.kind);

test('a world that is as it should be needs no step', () => {
  assert.deepEqual(steps([node], settled), []);
  const physical = { ...node, machine: null, power: { reset: false, on: false } };
  assert.deepEqual(steps([physical], { ...settled, machines: new Map() }), []);
});

test('after a start nothing is known: addresses and exports come before machines', () => {
  const observed = { ...settled, machines: new Map(), hosts: null, exports: null };
  assert.deepEqual(steps([node], observed), [
    { kind: 'setHosts', hosts },
    { kind: 'setExports', exports, trees: [] },
    { kind: 'startMachine', machine, ip: '10.73.0.2', generation: 1 },
  ]);
});

test('a reboot of a machine that does not run is its start, and nothing else', () => {
  assert.deepEqual(steps([{ ...node, generation: 2 }], { ...settled, machines: new Map() }), [
    { kind: 'startMachine', machine, ip: node.ip, generation: 2 },
  ]);
});

test('what is stored of a removed node is deleted once its machine is gone', () => {
  assert.deepEqual(kinds(steps([], settled, [1])), ['setHosts', 'setExports', 'removeMachine']);
  const exported = { ...settled, hosts: [], exports: [] };
  assert.deepEqual(kinds(steps([], exported, [1])), ['removeMachine']);
  const off = { ...exported, machines: new Map() };
  assert.deepEqual(steps([], off, [1]), [{ kind: 'forgetNode', id: 1 }]);
});

test('a renamed node changes names only', () => {
  assert.deepEqual(kinds(steps([{ ...node, name: 'other' }], settled)), ['setHosts']);
});
