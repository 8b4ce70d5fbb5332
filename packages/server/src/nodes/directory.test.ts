import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { PLATFORM_OWNER } from '@walt/contract';
import { until } from '../../../../test/until.ts';
import { SshAuthority } from '../access/index.ts';
import type { DiskReport } from '../boot/index.ts';
import { Catalogue } from '../images/catalogue/index.ts';
import type { DigestRecord } from '../images/index.ts';
import { openDatabase } from '../platform/index.ts';
import { serverTables } from '../tables.ts';
import { Agents } from './agents.ts';
import { bootingNodes } from './booting-nodes.ts';
import { createDirectory } from './directory.ts';
import { desiredState, type Failure } from './plan/index.ts';
import { Power, qemuPower } from './power/index.ts';
import { NodeStore } from './store.ts';
import { killedTrouble } from './troubles.ts';
import { servedVolumes } from './volume-servers/index.ts';

const machine = (number: number) => ({
  ip: `10.73.1.${number}`,
  mac: `b8:27:eb:00:00:0${number}`,
  model: 'rpi-3-b',
  architecture: 'arm64' as const,
});

async function smallDirectory(freeNodes: number, ssh: SshAuthority = Object.create(SshAuthority.prototype)) {
  const database = await openDatabase(':memory:', serverTables);
  const store = new NodeStore(database);
  const catalogue = new Catalogue(database, bootingNodes);
  const machine = { cycle: 'first', forgotten: 0 };
  const told: string[] = [];
  const named = new Map<string, string>();
  const notes: unknown[][] = [];
  const log = { info() {}, warn: (message: string) => void told.push(message), error() {} };
  const failures: Failure[] = [];
  const power = new Power([
    qemuPower({ running: async ([id = 0] = []) => new Map([[id, machine.cycle]]), reset: async () => {} }),
  ]);
  const directory = createDirectory({
    store,
    images: { byDigest: (digest) => catalogue.digest(digest) },
    volumeServers: {
      choose: async () => ({ host: 'h1', names: [], proofs: [] }),
      serverOf: (node) => (servedVolumes(node) ? { volumeServer: '10.73.9.9', proofs: [] } : undefined),
      disproved: async () => {},
    },
    agents: new Agents(),
    choice: { defaultName: async () => 'arm64-default' },
    // Where nobody boots, no key is asked for.
    ssh,
    power,
    machines: { consoleLog: () => '/nonexistent/console.log' },
    consoles: {
      forget: async () => {
        machine.forgotten++;
      },
    },
    network: { server: '10.73.0.1', prefix: 16 },
    devices: {
      nameOf: (mac) => named.get(mac) ?? null,
      notesOf: () => [],
      note: async (...note) => void notes.push(note),
      asked: () => {},
      pluggedInto: () => {},
    },
    platformVolume: 'platform.erofs',
    limits: { freeNodes },
    changed: async () => failures,
    log,
  });
  return { directory, store, catalogue, told, machine, power, named, notes };
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
  await store.orderBoots([
    {
      ids: [row?.id ?? 0],
      image: { owner: 'alice', name: 'exp1' },
      hard: false,
      cause: 'boot',
      user: 'alice',
    },
  ]);
  assert.equal(await directory.seen(machine(2)), undefined);
});

describe('a virtual node that goes from one user to the next', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const ip = '10.73.0.2';
  let keys: string;
  let world: Awaited<ReturnType<typeof smallDirectory>>;

  beforeEach(async () => {
    keys = await mkdtemp(join(tmpdir(), 'walt-directory-'));
    world = await smallDirectory(1, await SshAuthority.open({ keys }));
    const image: DigestRecord = {
      ...{ digest, architecture: 'amd64', created: 1, size: 1, layers: [], kernel: '6.1' },
      ...{ bootPlan: 'volumes', models: [], lends: [] },
    };
    for (const owner of ['alice', 'bob']) {
      await world.catalogue.point({ owner, name: 'exp' }, image, 'absent', { user: owner, action: 'clone' });
    }
    await world.store.register(async () => ({
      ...{ mac: '52:54:00:00:00:01', ip, name: 'vnode1', type: 'virtual', model: 'pc-x86-64' },
      ...{ architecture: 'amd64', image_owner: 'alice', image_name: 'exp' },
    }));
  });
  afterEach(() => rm(keys, { recursive: true, force: true }));

  const give = (owner: string) =>
    world.store.orderBoots([
      { ids: [1], image: { owner, name: 'exp' }, hard: false, cause: 'boot', user: 'alice' },
    ]);
  const exported = async () => {
    const { nodes } = await desiredState({
      ...world,
      images: world.catalogue,
      paths: { persist: '/persist' },
    });
    return nodes.flatMap(({ persist }) => persist).length;
  };

  test('gives the next one’s keys and /persist to no program that still runs there', async () => {
    const { directory, machine, store } = world;
    const first = await directory.beginBoot(ip);
    assert.ok(first);
    assert.ok(await directory.beginBoot(ip), 'its own boot may ask again');
    await give('bob');
    for (let count = 0; count < 3; count++) assert.equal(await directory.beginBoot(ip), undefined);
    assert.equal((await directory.currentBoot(ip))?.identity.hostKey, first.identity.hostKey);
    assert.equal((await store.byId(1))?.boot_owner, 'alice');
    assert.equal(await exported(), 1, 'nor can it mount more than before');
    const forgotten = machine.forgotten;

    machine.cycle = 'second';
    const next = await directory.beginBoot(ip);
    assert.ok(next);
    assert.equal(machine.forgotten, forgotten + 1);
    assert.notEqual(next.identity.hostKey, first.identity.hostKey);
    assert.notEqual(next.identity.principal, first.identity.principal);
    assert.notEqual(next.token, first.token);
    assert.notEqual(next.persist, first.persist);
    assert.equal(await exported(), 1);
    assert.deepEqual((await directory.currentBoot(ip))?.identity, next.identity);
    const { signal } = new AbortController();
    const report = { generation: first.generation, booted: true };
    assert.equal(
      await directory.poll(ip, first.token, report, signal),
      undefined,
      'its token is worth nothing',
    );
  });

  test('has no /persist from the boot on that begins without it, and still is its owner’s', async () => {
    const { directory, machine, store } = world;
    assert.ok((await directory.beginBoot(ip))?.persist);
    await store.configure([1], { 'mount.persist': 'false' });
    assert.equal(await exported(), 1, 'what runs keeps it');
    assert.ok((await directory.currentBoot(ip))?.persist);
    machine.cycle = 'second';
    assert.equal((await directory.beginBoot(ip))?.persist, null);
    assert.equal((await directory.currentBoot(ip))?.persist, null);
    assert.deepEqual([await exported(), (await store.byId(1))?.boot_owner], [0, 'alice']);
    await store.configure([1], { 'mount.persist': null });
    machine.cycle = 'third';
    assert.ok((await directory.beginBoot(ip))?.persist);
    assert.equal(await exported(), 1);
  });

  test('waits as long as it was set', async () => {
    const { directory, store } = world;
    const delay = async () => (await directory.beginBoot(ip))?.delay;
    assert.equal(await delay(), 0);
    await store.configure([1], { 'boot.delay': '42' });
    assert.equal(await delay(), 42);
    await store.configure([1], { 'boot.delay': 'random' });
    const seconds = await delay();
    assert.ok(seconds !== undefined && seconds >= 1 && seconds <= 10, `${seconds}`);
    const { nodes } = await desiredState({
      ...world,
      images: world.catalogue,
      paths: { persist: '/persist' },
    });
    assert.equal(nodes[0]?.timeout, 190, 'its time to boot begins after it');
  });

  test('keeps keys and token over its owner’s own reboots', async () => {
    const { directory, machine } = world;
    const first = await directory.beginBoot(ip);
    machine.cycle = 'second';
    const second = await directory.beginBoot(ip);
    assert.deepEqual([second?.identity, second?.token], [first?.identity, first?.token]);
    assert.equal(machine.forgotten, 0, 'what the console printed stays, from the first boot on');
  });

  test('mounts from the server when it did not come up with the volumes of a host, until its next boot', async () => {
    const { directory, store } = world;
    const served = async () => (await directory.beginBoot(ip))?.volumeServer;
    const loaded = async () => {
      directory.reached({ ip, digest }, 'initramfs');
      await until('its step', async () => (await store.boots.current([1])).get(1)?.times.initramfs);
    };
    assert.equal(await served(), '10.73.9.9');
    assert.equal(await served(), '10.73.9.9', 'its firmware asks again');
    await loaded();
    assert.equal(await served(), '10.73.0.1');
    assert.equal((await directory.currentBoot(ip))?.volumeServer, '10.73.0.1');
    assert.equal(await served(), '10.73.0.1');
    await give('alice');
    assert.equal(await served(), '10.73.9.9');
    await loaded();
    const { token = '', generation = 0 } = (await store.byId(1)) ?? {};
    await directory.poll(ip, token, { generation, booted: true }, AbortSignal.abort());
    assert.equal(await served(), '10.73.9.9', 'it was up');
  });

  test('is tried without its hybrid disk when it did not come up with it, until its next boot', async () => {
    const { directory, store } = world;
    const booted = async (generation: number) => {
      const token = (await store.byId(1))?.token ?? '';
      await directory.poll(ip, token, { generation, booted: true }, AbortSignal.abort());
    };
    const uses = async () => {
      await directory.beginBoot(ip);
      return (await directory.currentBoot(ip))?.disk;
    };
    assert.equal(await uses(), 'none');
    await booted(1);
    await store.noteDisk(1, { boot_mode: 'network', hybrid_disk: 'complete' });
    await give('alice');
    assert.equal(await uses(), 'use');
    await directory.failed(ip, 'the kernel died of it');
    assert.equal(await uses(), 'skip');
    await booted(2);
    await give('alice');
    assert.equal(await uses(), 'use');
  });
});

test('a machine that a user has named keeps its name when it becomes a node', async () => {
  const { directory, store, named } = await smallDirectory(2);
  named.set(machine(1).mac, 'pi-of-the-roof');
  await directory.seen(machine(1));
  assert.deepEqual(
    (await store.all()).map(({ name }) => name),
    ['pi-of-the-roof'],
  );
});

test('what a node tells of its clock and of its model is noted, and that it is right again', async () => {
  const { directory, store, notes } = await smallDirectory(2);
  await directory.seen(machine(1));
  const [node] = await store.all();
  assert.ok(node);
  const now = Math.floor(Date.now() / 1000);
  const hangUp = AbortSignal.abort();
  for (const clock of [now - 10 * 365.25 * 86_400, now, undefined])
    await directory.poll(node.ip, node.token, { generation: 1, booted: false, clock }, hangUp);
  for (const model of ['rpi-4-b', 'rpi-3-b']) await directory.recognize(node, model);
  assert.match(String(notes[0]?.[2]), /^Its clock is (?:9|10) years behind the server's: it says 20\d\d-/);
  assert.deepEqual(notes.slice(1), [
    [node.mac, 'clock', undefined],
    [node.mac, 'other-model', 'It says that it is a rpi-4-b, and is known as a rpi-3-b.'],
    [node.mac, 'other-model', undefined],
  ]);
});

test('programs that a node killed for want of memory are noted when there are more, and after a boot none', async () => {
  const { directory, store, notes } = await smallDirectory(2);
  await directory.seen(machine(1));
  const [node] = await store.all();
  assert.ok(node);
  const hangUp = AbortSignal.abort();
  const room = { memory: { total: 1000, free: 500 }, swap: { total: 0, free: 0 } };
  for (const killed of [0, 1, 1, 3, 0]) {
    const report = { generation: 1, booted: true, room: { ...room, killed } };
    assert.equal(await directory.poll(node.ip, node.token, report, hangUp), 'stay');
  }
  assert.deepEqual(
    notes,
    [0, 1, 3, 0].map((killed) => [node.mac, 'memory', killedTrouble(killed)]),
  );
  assert.equal(killedTrouble(0), undefined);
  assert.equal(killedTrouble(1), 'It killed a program for want of memory since it booted.');
  assert.equal(killedTrouble(3), 'It killed 3 programs for want of memory since it booted.');
});

test('what a node tells of its disk is noted, and its boot mode is that of the boot that runs', async () => {
  const { directory, store, notes } = await smallDirectory(2);
  await directory.seen(machine(1));
  const [first] = await store.all();
  assert.ok(first);
  const { id, ip, mac, token } = first;
  const serve = (generation: number) =>
    store.noteServed(first, {
      generation,
      digest: `sha256:${'d'.repeat(64)}`,
      persist: 1,
      mounts: true,
      token,
      cycle: null,
    });
  const tell = async (disk: DiskReport, generation = 1) => {
    await directory.poll(ip, token, { generation, booted: true, disk }, AbortSignal.abort());
    const row = await store.byId(id);
    return [row?.boot_mode, row?.hybrid_disk];
  };
  await serve(1);
  assert.deepEqual(await tell({ mode: 'network', disk: null }), ['network', null]);
  assert.deepEqual(await tell({ mode: 'network', disk: 'copying' }), ['network', 'copying']);
  assert.deepEqual(await tell({ mode: 'network', disk: 'full' }), ['network', 'full']);
  await serve(2);
  // An agent that was ordered to reboot may still ask.
  assert.deepEqual(await tell({ mode: 'network', disk: 'none' }, 1), [null, 'full']);
  assert.deepEqual(await tell({ mode: 'hybrid-volatile', disk: null }, 2), ['hybrid-volatile', 'full']);
  assert.deepEqual(await tell({ mode: 'hybrid-volatile', disk: 'complete' }, 2), [
    'hybrid-volatile',
    'complete',
  ]);
  assert.deepEqual(await tell({ mode: 'network', disk: 'none' }, 2), ['network', null]);
  await serve(3);
  assert.deepEqual(await tell({ mode: 'network', disk: 'none' }, 3), ['network', null]);
  const told = notes.filter(([, kind]) => kind === 'disk').map(([of, , text]) => [of, text]);
  const full = 'Its hybrid disk is full: what does not fit comes over the network. Make room on it.';
  const gone =
    'Its hybrid disk is gone, or has no file system with a folder walt_hybrid any more: it boots over the network.';
  assert.deepEqual(told, [
    [mac, undefined],
    [mac, undefined],
    [mac, full],
    [mac, full],
    [mac, undefined],
    [mac, gone],
    [mac, undefined],
  ]);
});
