import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDatabase } from '../../platform/index.ts';
import { serverTables } from '../../tables.ts';
import { NodeStore } from '../store.ts';
import type { VirtualMachine } from '../virtual/index.ts';
import { Power, qemuPower } from './index.ts';

async function nodes() {
  const store = new NodeStore(await openDatabase(':memory:', serverTables));
  const common = { image_owner: 'alice', image_name: 'exp', architecture: 'amd64' as const };
  await store.register(async () => ({
    ...{ ...common, mac: '52:54:00:00:00:01', ip: '10.73.0.2', name: 'vnode1', type: 'virtual' },
    ...{ model: 'pc-x86-64', cpu_cores: 1, ram_mib: 512 },
  }));
  await store.register(async () => ({
    ...{ ...common, mac: 'b8:27:eb:00:00:01', ip: '10.73.0.3', name: 'pi', type: 'physical' },
    ...{ model: 'rpi-3-b', cpu_cores: null, ram_mib: null },
  }));
  const [vnode1, pi] = await store.all();
  assert.ok(vnode1 && pi);
  return { vnode1, pi };
}

test('what can be done to a node’s power is what its source can', async () => {
  const { vnode1, pi } = await nodes();
  const reset: VirtualMachine[] = [];
  const machines = {
    reset: async (machine: VirtualMachine) => void reset.push(machine),
    powerCycle: async (id: number) => `${id} first`,
  };
  const power = new Power([qemuPower(machines)]);

  assert.deepEqual([power.acts(vnode1), power.acts(pi)], [{ reset: true }, { reset: false }]);
  assert.deepEqual([await power.cycle(vnode1), await power.cycle(pi)], ['1 first', null]);
  await power.reset(vnode1);
  assert.deepEqual(reset, [
    ...[{ id: 1, mac: vnode1.mac, model: 'pc-x86-64', cpuCores: 1, ramMiB: 512, tap: 'vm1' }],
  ]);
  await assert.rejects(power.reset(pi), /nobody can reset node 2/);
});

test('a source that can only tell is asked for nothing else', async () => {
  const { pi } = await nodes();
  const power = new Power([{ has: ({ model }) => model === 'rpi-3-b', cycle: async () => undefined }]);
  assert.deepEqual([power.acts(pi), await power.cycle(pi)], [{ reset: false }, null]);
});
