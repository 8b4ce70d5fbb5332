import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openDatabase } from '../../platform/index.ts';
import { serverTables } from '../../tables.ts';
import type { Placed } from '../engine/index.ts';
import { type NodeRow, NodeStore } from '../store.ts';
import { Power, PowerErrands, qemuPower } from './index.ts';
import { declared, powerFailure } from './source.ts';

async function nodes() {
  const store = new NodeStore(await openDatabase(':memory:', serverTables));
  const common = { image_owner: 'alice', image_name: 'exp', architecture: 'amd64' as const };
  await store.register(async () => ({
    ...{ ...common, mac: '52:54:00:00:00:01', ip: '10.73.0.2', name: 'vnode1', type: 'virtual' },
    ...{ model: 'pc-x86-64', settings: { 'cpu.cores': '1', ram: '512M' } },
  }));
  await store.register(async () => ({
    ...{ ...common, mac: 'b8:27:eb:00:00:01', ip: '10.73.0.3', name: 'pi', type: 'physical' },
    model: 'rpi-3-b',
  }));
  const [vnode1, pi] = await store.all();
  assert.ok(vnode1 && pi);
  return { vnode1, pi };
}

test('what can be done to a node’s power is what its source can', async () => {
  const { vnode1, pi } = await nodes();
  const reset: Placed[] = [];
  const machines = {
    reset: async (placed: Placed) => void reset.push(placed),
    running: async (ids: readonly number[] = []) => new Map(ids.map((id) => [id, `${id} first`])),
  };
  const power = new Power([qemuPower(machines)]);

  assert.deepEqual(
    [power.acts(vnode1), power.acts(pi)],
    [
      { reset: true, on: false },
      { reset: false, on: false },
    ],
  );
  assert.deepEqual([await power.cycle(vnode1), await power.cycle(pi)], ['1 first', null]);
  assert.deepEqual([await power.state(vnode1), await power.state(pi)], ['on', null]);
  assert.deepEqual(power.view(vnode1), { kind: 'virtual machine', source: null });
  assert.deepEqual(power.view(pi), { kind: 'none', source: 'none' });
  await power.reset(vnode1);
  const machine = {
    ...{ id: 1, mac: vnode1.mac, model: 'pc-x86-64', logsConsole: true },
    ...{ cpuCores: 1, ramMiB: 512, disks: [], networks: [{ name: 'walt-net' }], place: { features: [] } },
  };
  assert.deepEqual(reset, [{ machine, ip: '10.73.0.2' }]);
  await assert.rejects(power.reset(pi), /nobody can reset node 2/);
});

const bare = { kind: 'plug', port: 'needed', shared: false } as const;

test('a physical node’s source is the one that its setting names; a virtual one’s setting means nothing', async () => {
  const { vnode1, pi } = await nodes();
  const settings = { power: 'plugs:3' };
  const done: string[] = [];
  const act = (name: string) => async (node: NodeRow) => void done.push(`${name} ${node.name}`);
  const power = new Power([
    declared('bmc', { ...bare, on: act('wrong') }),
    declared('plugs', { ...bare, on: act('on'), off: act('off'), state: async () => 'off' }),
  ]);
  const node = { ...pi, settings };
  assert.deepEqual(power.acts(node), { reset: true, on: true });
  await power.reset(node);
  assert.deepEqual(done, ['off pi', 'on pi'], 'off and on are a reset');
  assert.equal(await power.state(node), 'off');
  assert.deepEqual(power.view(node), { kind: 'plug', source: 'plugs:3' });
  assert.deepEqual(power.acts({ ...vnode1, settings }), { reset: false, on: false });
  power.requireKnown({ ...pi, settings: { power: 'none' } });
  assert.throws(
    () => power.requireKnown({ ...pi, settings: { power: 'gone' } }),
    /gone is not in server\.conf any more/,
  );
});

describe('what another machine is asked to do', () => {
  const quiet = { info() {}, warn() {}, error() {} };

  test('is begun, and nobody has to wait for it', async () => {
    const { pi } = await nodes();
    const { promise, resolve } = Promise.withResolvers<void>();
    let times = 0;
    const on = async () => {
      times += 1;
      await promise;
    };
    const power = new Power([declared('plugs', { ...bare, on })]);
    const errands = new PowerErrands({ power, log: quiet });
    const node = { ...pi, settings: { power: 'plugs:1' } };
    await errands.carryOut(node, 'on');
    await errands.carryOut(node, 'on');
    assert.equal(times, 1, 'not twice at a time');
    resolve();
    await errands.done([node.id]);
    assert.equal(errands.failure(node), undefined);
  });

  test('and fails is told to whoever waits, and remembered until it succeeds or another source has the node', async () => {
    const { pi } = await nodes();
    let works = false;
    const warned: unknown[] = [];
    const on = async () => {
      if (!works) throw powerFailure('plugs', 'is on fire.', 'Pour water.');
    };
    const power = new Power([declared('plugs', { ...bare, on })]);
    const errands = new PowerErrands({ power, log: { ...quiet, warn: (_, fields) => warned.push(fields) } });
    const node = { ...pi, settings: { power: 'plugs:1' } };
    await errands.carryOut(node, 'on');
    await assert.rejects(errands.done([node.id]), { code: 'EXTERNAL', hint: 'Pour water.' });
    await errands.done([node.id]);
    assert.equal(errands.failure(node)?.message, 'The source of power plugs is on fire.');
    assert.equal(errands.failure({ ...pi, settings: { power: 'plugs:2' } }), undefined);
    assert.deepEqual(warned, [{ node: node.id, error: 'The source of power plugs is on fire.' }]);
    works = true;
    await errands.carryOut(node, 'on');
    await errands.done([node.id]);
    assert.equal(errands.failure(node), undefined);
  });

  test('states are asked side by side, believed for a while, and not waited for too long', async () => {
    const { pi } = await nodes();
    const asked: string[] = [];
    const slow = Promise.withResolvers<'on'>();
    const state = async ({ settings }: NodeRow) => {
      asked.push(settings.power ?? '');
      return settings.power === 'plugs:2' ? await slow.promise : 'off';
    };
    const power = new Power([declared('plugs', { ...bare, state })]);
    const errands = new PowerErrands({ power, log: quiet });
    const quick = { ...pi, id: 11, settings: { power: 'plugs:1' } };
    const late = { ...pi, id: 12, settings: { power: 'plugs:2' } };
    const missing = { ...pi, id: 13, settings: { power: 'gone' } };
    await errands.look([late, quick, missing], 50);
    assert.deepEqual([errands.state(quick), errands.state(late)], ['off', null]);
    assert.match(errands.failure(missing)?.message ?? '', /not in server.conf/);
    const found = { ...missing, settings: { power: 'plugs:3' } };
    await errands.look([found], 60_000);
    assert.deepEqual([errands.state(found), errands.failure(found)], ['off', undefined]);
    slow.resolve('on');
    await errands.look([late, quick, missing], 60_000);
    assert.equal(errands.state(late), 'on');
    assert.deepEqual(asked, ['plugs:2', 'plugs:1', 'plugs:3']);
  });
});
