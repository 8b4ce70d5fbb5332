import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PLATFORM_OWNER } from '@walt/contract';
import { SshAuthority } from '../access/index.ts';
import { openDatabase } from '../platform/index.ts';
import { Agents } from './agents.ts';
import { createDirectory } from './directory.ts';
import type { Failure } from './reconciler.ts';
import { NodeStore } from './store.ts';

const machine = (number: number) => ({
  ip: `10.73.1.${number}`,
  mac: `b8:27:eb:00:00:0${number}`,
  model: 'rpi-3-b',
  architecture: 'arm64' as const,
});

async function smallDirectory(freeNodes: number) {
  const store = new NodeStore(await openDatabase(':memory:'));
  const told: string[] = [];
  const log = { info() {}, warn: (message: string) => void told.push(message), error() {} };
  const failures: Failure[] = [];
  const directory = createDirectory({
    store,
    agents: new Agents(),
    choice: { defaultName: async () => 'arm64-default' },
    // Nobody boots here: no key is asked for.
    ssh: Object.create(SshAuthority.prototype),
    machines: { forgetConsole: async () => {} },
    network: { server: '10.73.0.1', prefix: 16 },
    platformVolume: 'platform.erofs',
    limits: { freeNodes },
    changed: async () => failures,
    log,
  });
  return { directory, store, told };
}

test('machines that come by themselves become nodes, up to a limit that they are told', async () => {
  const { directory, store, told } = await smallDirectory(2);
  assert.equal(await directory.seen(machine(1)), undefined);
  assert.equal(await directory.seen(machine(2)), undefined);
  const refusal = 'there are 2 free nodes already (limits.free-nodes in server.conf)';
  assert.equal(await directory.seen(machine(3)), refusal);
  assert.equal(await directory.seen(machine(4)), refusal);
  assert.deepEqual(
    (await store.all()).map(({ mac }) => mac),
    [machine(1).mac, machine(2).mac],
  );
  assert.deepEqual(told, ['node not registered'], 'machines ask again and again: the journal tells it once');
});

test('a machine that is known is no new one, and one that somebody uses does not count', async () => {
  const { directory, store } = await smallDirectory(1);
  assert.equal(await directory.seen(machine(1)), undefined);
  assert.equal(await directory.seen(machine(1)), undefined);
  const [row] = await store.all();
  assert.equal(row?.image_owner, PLATFORM_OWNER);
  await store.orderBoots([{ ids: [row?.id ?? 0], image: { owner: 'alice', name: 'exp1' }, hard: false }]);
  assert.equal(await directory.seen(machine(2)), undefined);
});
