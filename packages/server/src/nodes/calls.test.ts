import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { beforeEach, describe, type TestContext, test } from 'node:test';
import { type NamedImage, PLATFORM_OWNER } from '@walt/contract';
import { playLogins } from '../../test/logins.ts';
import { type Caller, Guests, LostRight, StandingRights } from '../access/index.ts';
import { Catalogue } from '../images/catalogue/index.ts';
import type { ImageRecord } from '../images/index.ts';
import { isUserError, openDatabase, UserError } from '../platform/index.ts';
import { type ServerDatabase, serverTables } from '../tables.ts';
import { Agents } from './agents.ts';
import { bootingNodes } from './booting-nodes.ts';
import { createNodeCalls } from './calls.ts';
import { Consoles } from './consoles/index.ts';
import { ImageChoice } from './image-choice.ts';
import { NodeLookup } from './lookup.ts';
import { NodeGuests } from './ownership/index.ts';
import { type BootTrouble, desiredState, type Failure, plan, type Step, troubles } from './plan/index.ts';
import { Power, PowerErrands, type PowerSource, qemuPower } from './power/index.ts';
import { NodeStore } from './store.ts';
import { NodeViews } from './views.ts';
import type { Machine } from './virtual/index.ts';

const alice: Caller = { uid: 1001, user: 'alice', role: 'member' };
const bob: Caller = { uid: 1002, user: 'bob', role: 'member' };
const never = new AbortController().signal;
const done = async () => {};
const NO_NETWORKS = { require: done, connect: done, look: async () => [], remove: done, removeNode: done };
const DIGEST = `sha256:${'a'.repeat(64)}`;

/** A platform whose database and rules are real, whose machines only exist as a set of numbers. */
async function smallPlatform(sources: readonly PowerSource[] = []) {
  const database = await openDatabase(':memory:', serverTables);
  const images = await smallCatalogue(database);
  const store = new NodeStore(database);
  const agents = new Agents();
  const running = new Map<number, Machine>();
  const exposed = new Map<number, Pick<Extract<Step, { kind: 'exposeNode' }>, 'ip' | 'ports'>>();
  const steps: Step[] = [];
  const forgotten: number[] = [];
  /** What the next passes of the reconciler answer. */
  const failures: Failure[] = [];
  const power = new Power([qemuPower({ running: async () => new Map(), reset: async () => {} }), ...sources]);
  const log = { info() {}, warn() {}, error() {} };
  const errands = new PowerErrands({ power, log });
  let found: ReadonlyMap<number, BootTrouble> = new Map();
  const reconcile = async () => {
    const observed = {
      machines: new Map([...running.keys()].map((id) => [id, { cycle: 'first', since: 0 }])),
      watched: running,
      hosts: null,
      exports: null,
      trees: null,
      routed: null,
      taps: [],
      exposed,
      agents: agents.connected(),
      heard: agents.heard(),
      since: 0,
      lastSteps: new Map(),
      attempts: new Map(),
    };
    const desired = await desiredState({ store, images, paths: { persist: '/persist' }, power });
    const now = Date.now() / 1000;
    found = troubles(desired, observed, now);
    for (const step of plan(desired, observed, now)) {
      steps.push(step);
      if (step.kind === 'startMachine') running.set(step.machine.id, step.machine);
      if (step.kind === 'removeMachine') running.delete(step.id);
      if (step.kind === 'orderReboot') agents.orderReboot(step.id);
      if (step.kind === 'exposeNode') {
        const { id, ip, ports } = step;
        if (ports.length > 0) exposed.set(id, { ip, ports });
        else exposed.delete(id);
      }
      if (step.kind === 'forgetNode') {
        forgotten.push(step.id);
        await store.noteForgotten(step.id);
      }
    }
    return failures;
  };
  const rights = new StandingRights(log);
  const machines = {
    require: async () => {},
    requireRoom: async () => {},
    diskUse: async () => [],
    running: async () => new Map([...running.keys()].map((id) => [id, 'first'])),
    places: async () => new Map(),
    consolePath: (id: number) => `/run/${id}.sock`,
    consoleLog: (id: number) => `/run/${id}.log`,
    forgetConsole: done,
  };
  const devices = { notesOf: () => [], isTaken: (name: string) => name === 'printer' };
  const { groups, logins: played } = playLogins();
  groups.set('students', new Set());
  const logins = new Guests(played);
  const guests = new NodeGuests(database, logins);
  const views = new NodeViews({
    boots: store.boots,
    agents,
    machines,
    power,
    errands,
    devices,
    guests,
    troubles: () => found,
  });
  const lookup = new NodeLookup({
    store,
    views,
    guests,
    consoles: new Consoles({ machines, power, recorder: { record: done, empty: done } }),
  });
  const calls = createNodeCalls({
    quotas: { require: done, requireOf: done },
    ...{
      guests,
      logins,
      store,
      agents,
      machines,
      views,
      lookup,
      power,
      errands,
      devices,
      troubles: () => found,
    },
    network: {
      freeAddress: async (taken) => `10.73.0.${taken.size + 2}`,
      others: NO_NETWORKS,
      exposed: { require: done, look: () => new Map(), set: done, close: done },
    },
    choice: new ImageChoice(images),
    rights,
    reconcile,
  });
  /** Plays the part of a node that boots and comes up. */
  const bootUp = async (name: string) => {
    const row = (await store.all()).find((node) => node.name === name);
    assert.ok(row?.digest);
    await store.noteServed(row, {
      ...{ generation: row.generation, digest: row.digest, token: row.token, cycle: null, mounts: true },
      persist: await store.persistFolder(row.id, row.image_owner),
    });
    await store.noteBooted(row.id);
    return { answer: agents.poll(row.id, never), id: row.id };
  };
  return { calls, lookup, agents, steps, forgotten, failures, bootUp, store, images, rights, groups };
}

async function smallCatalogue(database: ServerDatabase) {
  const catalogue = new Catalogue(database, bootingNodes);
  const records: ImageRecord[] = [];
  const add = async (owner: string, name: string, change: Partial<ImageRecord> = {}) => {
    const record: ImageRecord = {
      owner,
      name,
      digest: DIGEST,
      architecture: 'amd64',
      created: 1,
      size: 1,
      layers: [DIGEST],
      kernel: '6.1',
      bootPlan: 'volumes',
      models: ['pc-x86-64'],
      lends: [],
      ...change,
    };
    await catalogue.point({ owner, name }, record, 'absent', { user: owner, action: 'import' });
    records.push(record);
    return record;
  };
  await add(PLATFORM_OWNER, 'pc-x86-64-default');
  await add('alice', 'exp1');
  await add('alice', 'empty', { kernel: null, bootPlan: null });
  await add('alice', 'board', { models: ['rpi-3-b'], architecture: 'arm64' });
  await add('alice', 'arm', { models: ['qemu-arm64'], architecture: 'arm64' });
  const get = async (owner: string, name: string) => {
    const record = records.find((image) => image.owner === owner && image.name === name);
    if (!record) throw new UserError('NOT_FOUND', `There is no image ${owner}/${name}.`, '');
    return record;
  };
  return {
    get,
    getSeen: (_caller: Caller, { owner, name }: NamedImage) => get(owner, name),
    treeImages: () => catalogue.treeImages(),
    duplicate: (_user: string, _image: ImageRecord, target: { owner: string; name: string }) =>
      add(target.owner, target.name),
  };
}

const failsWith = (code: string, text: RegExp) => (error: unknown) =>
  isUserError(error) && error.code === code && text.test(error.message);
const size = { settings: [], yes: false };

const OWN = 'pc-x86-64-default';

/** Holds all changes of nodes until `end`; resolves when so many wait for their turn. */
function turnsHeld(t: TestContext, store: NodeStore) {
  const { promise, resolve: end } = Promise.withResolvers<void>();
  void store.configure([], {}, { check: () => promise });
  const queue = new EventEmitter();
  let waiting = 0;
  for (const change of ['orderBoots', 'configure', 'rename', 'remove'] as const) {
    const original = store[change] as (...words: unknown[]) => Promise<void>;
    t.mock.method(store, change, (...words: unknown[]) => {
      const result = original.apply(store, words);
      waiting += 1;
      queue.emit('more');
      return result;
    });
  }
  const wait = async (count: number) => {
    while (waiting < count) await once(queue, 'more');
  };
  return Object.assign(wait, { end });
}

describe('nodes', () => {
  let platform: Awaited<ReturnType<typeof smallPlatform>>;
  beforeEach(async () => {
    platform = await smallPlatform();
    await platform.calls.create(alice, { name: 'vnode1', ...size, image: undefined }, never);
  });

  test('ports of the server below 1024 are for root to give; what he gave stays', async () => {
    const set = (caller: typeof alice, value: string) =>
      platform.calls.config(
        caller,
        { set: 'vnode1', settings: [{ name: 'expose', value }], yes: caller.role === 'administrator' },
        never,
      );
    await assert.rejects(
      set(alice, '80:80'),
      failsWith('FORBIDDEN', /Only an administrator opens ports.* below 1024, as 80/),
    );
    await set({ uid: 0, user: 'root', role: 'administrator' }, '80:80');
    await set(alice, '80:80,443:8443');
    await assert.rejects(set(alice, '80:80,443:443'), failsWith('FORBIDDEN', /as 443/));
    assert.deepEqual(
      platform.steps.flatMap((step) => (step.kind === 'exposeNode' ? [step.ports.length] : [])),
      [1, 2],
    );
  });

  test('a new virtual node boots a copy of the default image that its maker owns', async () => {
    const [node] = await platform.calls.list(alice, { set: 'my-nodes' }, never);
    assert.equal(node?.image, 'alice/pc-x86-64-default');
    assert.equal(node?.owner, 'alice');
    assert.equal(node?.state, 'booting');
    assert.deepEqual(
      platform.steps.map((step) => step.kind),
      ['setHosts', 'setExports', 'setRouted', 'startMachine'],
    );
  });

  test('a new virtual node is the first model that its image is for, or the one that is asked for', async () => {
    const make = { name: 'arm1', ...size };
    const board = await platform.calls.create(alice, { ...make, image: 'arm' }, never);
    assert.deepEqual([board.model, board.architecture], ['qemu-arm64', 'arm64']);
    const started = platform.steps.flatMap((step) => (step.kind === 'startMachine' ? [step.machine] : []));
    assert.equal(started.at(-1)?.model, 'qemu-arm64');
    const other = { ...make, name: 'arm2' };
    const unfit = platform.calls.create(alice, { ...other, image: 'arm', model: 'pc-x86-64' }, never);
    await assert.rejects(unfit, failsWith('INVALID', /for qemu-arm64, not for pc-x86-64/));
    const none = platform.calls.create(alice, { ...other, model: 'qemu-armhf' }, never);
    await assert.rejects(none, failsWith('UNAVAILABLE', /no default image for qemu-armhf yet/));
    const real = platform.calls.create(alice, { ...other, image: 'board' }, never);
    await assert.rejects(real, failsWith('INVALID', /for rpi-3-b: no virtual node can be that/));
  });

  test('two nodes made at the same time get different addresses', async () => {
    const made = ['a1', 'a2', 'a3'].map((name) =>
      platform.calls.create(alice, { name, ...size, image: undefined }, never),
    );
    const addresses = (await Promise.all(made)).map((node) => node.ip);
    assert.equal(new Set(addresses).size, 3);
  });

  test('a name that is taken is refused', async () => {
    const create = (name: string) => platform.calls.create(alice, { name, ...size, image: undefined }, never);
    await assert.rejects(create('vnode1'), failsWith('CONFLICT', /"vnode1" already/));
  });

  test('an order to boot reaches the agent that listens', async () => {
    const { answer } = await platform.bootUp('vnode1');
    const ordered = await platform.calls.boot(alice, { set: 'vnode1', image: 'exp1', yes: false }, never);
    assert.equal(ordered.image, 'alice/exp1');
    assert.equal(await answer, 'reboot');
    const [node] = await platform.calls.list(alice, { set: 'vnode1' }, never);
    assert.equal(node?.image, 'alice/exp1');
    assert.equal(node?.state, 'booting');
  });

  const refused: [string, string, string, RegExp][] = [
    ['without a kernel', 'empty', 'INVALID', /alice\/empty lacks .*kernel/],
    ['for another CPU', 'arm', 'INVALID', /qemu-arm64, not for pc-x86-64/],
    ['that does not exist', 'nothing', 'NOT_FOUND', /alice\/nothing/],
    ['of somebody else', 'bob/exp1', 'FORBIDDEN', /bob's image/],
  ];
  for (const [what, image, code, text] of refused) {
    test(`an image ${what} is refused and nothing changes`, async () => {
      const before = await platform.store.all();
      await assert.rejects(
        platform.calls.boot(alice, { set: 'vnode1', image, yes: true }, never),
        failsWith(code, text),
      );
      assert.deepEqual(await platform.store.all(), before);
    });
  }

  test("others' nodes are touched only after a yes", async () => {
    const reboot = (yes: boolean) => platform.calls.reboot(bob, { set: 'vnode1', hard: false, yes }, never);
    await assert.rejects(reboot(false), failsWith('CONFIRM', /vnode1 is in use by alice/));
    assert.deepEqual(await reboot(true), { nodes: ['vnode1'], unheard: [] });
    await assert.rejects(
      platform.calls.acquire(bob, { set: 'vnode1' }, never),
      failsWith('CONFLICT', /in use by alice/),
    );
  });

  test('a released node is free, and can be acquired by another', async () => {
    await platform.calls.release(alice, { set: 'my-nodes', yes: false }, never);
    assert.equal((await platform.lookup.find('vnode1')).owner, null);
    await platform.calls.acquire(bob, { set: 'free-nodes' }, never);
    assert.equal((await platform.lookup.find('vnode1')).owner, 'bob');
  });

  test('ports that lead to a node are closed when it is released', async () => {
    const ports = () =>
      platform.steps.flatMap((step) =>
        step.kind === 'exposeNode' ? [step.ports.map(({ server }) => server)] : [],
      );
    const settings = [{ name: 'expose', value: '80:8080' }];
    await platform.calls.config(alice, { set: 'vnode1', settings, yes: false }, never);
    assert.deepEqual(ports(), [[8080]]);
    await platform.calls.release(alice, { set: 'vnode1', yes: false }, never);
    assert.deepEqual(ports(), [[8080], []]);
  });

  describe('while alice acquires a free node,', () => {
    const asks = failsWith('CONFIRM', /vnode1 is in use by alice/);
    const set = 'vnode1';
    const settings = [{ name: 'expose', value: '22:2222' }];
    const races: [what: string, second: () => Promise<unknown>, refusal: typeof asks][] = [
      [
        'acquires it',
        () => platform.calls.acquire(bob, { set }, never),
        failsWith('CONFLICT', /vnode1 is in use by alice/),
      ],
      ['boots his image', () => platform.calls.boot(bob, { set, image: OWN, yes: false }, never), asks],
      ['reboots it', () => platform.calls.reboot(bob, { set, hard: false, yes: false }, never), asks],
      ['changes a setting', () => platform.calls.config(bob, { set, settings, yes: false }, never), asks],
      [
        'renames it',
        () => platform.calls.rename(bob, { name: 'vnode1', newName: 'other', yes: false }, never),
        asks,
      ],
    ];
    for (const [what, second, refusal] of races) {
      test(`bob, who ${what}, meets what she did`, async (t) => {
        // Each has his copy of the default image.
        for (const user of [bob, alice]) {
          await platform.calls.release(user, { set, yes: true }, never);
          await platform.calls.acquire(user, { set }, never);
        }
        await platform.calls.release(alice, { set, yes: false }, never);
        const wait = turnsHeld(t, platform.store);
        const first = platform.calls.acquire(alice, { set }, never);
        await wait(1);
        const refused = assert.rejects(second(), refusal);
        await wait(2);
        wait.end();
        await Promise.all([first, refused]);
        const [node] = await platform.store.all();
        assert.deepEqual([node?.name, node?.image_owner, node?.settings], ['vnode1', 'alice', {}]);
      });
    }
  });

  test('what is ordered of a node that somebody removes meanwhile is refused, and names it', async (t) => {
    const wait = turnsHeld(t, platform.store);
    const removed = platform.calls.remove(alice, { set: 'vnode1', yes: true }, never);
    await wait(1);
    const refused = assert.rejects(
      platform.calls.boot(alice, { set: 'vnode1', image: 'exp1', yes: false }, never),
      failsWith('NOT_FOUND', /^Removed meanwhile: vnode1\. Nothing was changed\.$/),
    );
    await wait(2);
    wait.end();
    await Promise.all([removed, refused]);
  });

  test('removing asks first, then takes the machine and the files along', async () => {
    const { id } = await platform.bootUp('vnode1');
    const remove = (yes: boolean) => platform.calls.remove(alice, { set: 'vnode1', yes }, never);
    await assert.rejects(remove(false), failsWith('CONFIRM', /deletes what is stored in \/persist/));
    await remove(true);
    assert.deepEqual(platform.forgotten, [id]);
    const about = platform.steps.filter(({ kind }) => kind === 'removeMachine' || kind === 'forgetNode');
    assert.deepEqual(
      about.map(({ kind }) => kind),
      ['removeMachine', 'forgetNode'],
    );
    assert.deepEqual(await platform.store.removed(), []);
  });

  test('what a removed node had stored is deleted by the next server, if this one dies before it', async () => {
    const [row] = await platform.store.all();
    await platform.store.remove([row?.id ?? 0]);
    assert.deepEqual(await platform.store.removed(), [row?.id]);
    // Any pass does it: the first one of a server looks at all that should be.
    await platform.calls.create(alice, { name: 'vnode2', ...size, image: undefined }, never);
    await platform.calls.reboot(alice, { set: 'vnode2', hard: true, yes: true }, never);
    assert.deepEqual(platform.forgotten, [row?.id]);
    assert.deepEqual(await platform.store.removed(), []);
  });

  test('a look at the world that fails is told, and what was ordered stays ordered', async () => {
    platform.failures.push({ step: undefined, error: new Error('database disk image is malformed') });
    await assert.rejects(
      platform.calls.boot(alice, { set: 'vnode1', image: 'exp1', yes: true }, never),
      failsWith('UNAVAILABLE', /malformed/),
    );
    const [node] = await platform.calls.list(alice, { set: 'vnode1' }, never);
    assert.equal(node?.image, 'alice/exp1');
  });

  test('waiting for a node that is removed meanwhile fails', async () => {
    await platform.calls.create(alice, { name: 'vnode2', ...size, image: undefined }, never);
    const waiting = (async () => {
      for await (const _ of await platform.calls.wait(alice, { set: 'vnode1,vnode2' }, never));
    })();
    await platform.bootUp('vnode1');
    await platform.calls.remove(alice, { set: 'vnode2', yes: true }, never);
    await assert.rejects(waiting, failsWith('NOT_FOUND', /^Removed while you waited: vnode2\.$/));
    platform.agents.close();
  });

  describe('of several kinds, one of which has no default image', () => {
    beforeEach(async () => {
      const arm = { name: 'arm1', image: 'arm', ...size };
      await platform.calls.create(alice, arm, never);
    });
    const acts: [string, () => Promise<unknown>][] = [
      [
        'booting it',
        () => platform.calls.boot(alice, { set: 'my-nodes', image: 'default', yes: true }, never),
      ],
      ['releasing them', () => platform.calls.release(alice, { set: 'my-nodes', yes: true }, never)],
    ];
    for (const [act, call] of acts) {
      test(`${act} is refused before anything changes`, async () => {
        const before = await platform.store.all();
        await assert.rejects(call(), failsWith('UNAVAILABLE', /no default image for qemu-arm64/));
        assert.deepEqual(await platform.store.all(), before);
      });
    }

    test('acquiring them is refused before anything changes', async () => {
      const rows = await platform.store.all();
      const free = { owner: PLATFORM_OWNER, name: 'pc-x86-64-default' };
      await platform.store.orderBoots([
        { ids: rows.map(({ id }) => id), image: free, hard: false, cause: 'release', user: null },
      ]);
      const before = await platform.store.all();
      await assert.rejects(
        platform.calls.acquire(bob, { set: 'all-nodes' }, never),
        failsWith('UNAVAILABLE', /no default image for qemu-arm64/),
      );
      assert.deepEqual(await platform.store.all(), before);
      await assert.rejects(platform.images.get('bob', 'pc-x86-64-default'), failsWith('NOT_FOUND', /bob/));
    });
  });

  test('waiting ends when the last node has booted, or in time', async () => {
    const wait = async (timeout?: number) => {
      const events = [];
      const iterator = await platform.calls.wait(alice, { set: 'vnode1', timeout }, never);
      for await (const event of iterator) events.push(event);
      return events;
    };
    await assert.rejects(wait(0.05), failsWith('TIMEOUT', /vnode1 is not booted after 0.05 seconds/));
    const waiting = wait();
    await platform.bootUp('vnode1');
    assert.deepEqual((await waiting).at(-1), { type: 'result', value: { nodes: ['vnode1'] } });
    platform.agents.close();
  });
});

describe('who may be on a node', () => {
  let platform: Awaited<ReturnType<typeof smallPlatform>>;

  beforeEach(async () => {
    platform = await smallPlatform();
  });

  const probe = { name: 'probe', guest: false };

  test('changes with its owner, and what its last owner booted is not the next one’s to enter', async () => {
    const { calls, lookup, bootUp } = platform;
    await calls.create(alice, { name: 'probe', ...size }, never);
    const { id } = await bootUp('probe');
    assert.deepEqual(await lookup.tenants(id, alice), { ...probe, owner: 'alice', bootOwner: 'alice' });
    await calls.release(alice, { set: 'probe', yes: false }, never);
    assert.deepEqual(await lookup.tenants(id, alice), { ...probe, owner: null, bootOwner: 'alice' });
    await calls.acquire(bob, { set: 'probe' }, never);
    assert.deepEqual(await lookup.tenants(id, alice), { ...probe, owner: 'bob', bootOwner: 'alice' });
    await bootUp('probe');
    assert.deepEqual(await lookup.tenants(id, alice), { ...probe, owner: 'bob', bootOwner: 'bob' });
    await calls.remove(bob, { set: 'probe', yes: true }, never);
    await assert.rejects(lookup.tenants(id, alice), { code: 'NOT_FOUND' });
  });

  for (const act of ['release', 'boot', 'remove'] as const) {
    test(`is asked anew by the time that ${act} answers`, async () => {
      const { calls, lookup, bootUp, rights } = platform;
      await calls.create(alice, { name: 'probe', ...size }, never);
      const { id } = await bootUp('probe');
      const isAlices = async () => {
        const { owner } = await lookup.tenants(id, alice);
        if (owner !== 'alice') throw new UserError('FORBIDDEN', 'not yours', 'ask');
      };
      let over = false;
      const inUse = rights
        .whileHeld(isAlices, () => new Promise(() => {}))
        .catch((error) => {
          over = true;
          return error;
        });
      await calls.reboot(alice, { set: 'probe', hard: false, yes: false }, never);
      assert.ok(!over, 'a reboot by its owner leaves it');
      const input = { set: 'probe', image: `${PLATFORM_OWNER}/pc-x86-64-default`, yes: true };
      await calls[act](bob, input, never);
      assert.ok((await inUse) instanceof LostRight);
    });
  }
});
