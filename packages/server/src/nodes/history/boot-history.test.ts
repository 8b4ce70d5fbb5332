import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, test } from 'node:test';
import { BOOTS_KEPT, PLATFORM_OWNER } from '@walt/contract';
import type { Caller, OwnedNode } from '../../access/index.ts';
import { openDatabase } from '../../platform/index.ts';
import { type ServerDatabase, serverTables } from '../../tables.ts';
import { NodeStore } from '../store.ts';
import { bootsSeenBy } from './boot-row.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const OTHER = `sha256:${'b'.repeat(64)}`;
const MAC = '52:54:00:00:00:01';
const alice: Caller = { uid: 1001, user: 'alice', role: 'member' };
const bob: Caller = { uid: 1002, user: 'bob', role: 'member' };
const image = { owner: 'alice', name: 'exp' };

let database: ServerDatabase;
let store: NodeStore;
let id: number;

beforeEach(async () => {
  database = await openDatabase(':memory:', serverTables);
  store = new NodeStore(database);
  id = await addNode(store, 'alice');
});

function addNode(to: NodeStore, user: string | null): Promise<number> {
  return to.register(
    async () => ({
      ...{ mac: MAC, ip: '10.73.0.2', name: 'vnode1', type: 'virtual', model: 'pc-x86-64' },
      ...{ architecture: 'amd64' as const },
      ...{ image_owner: image.owner, image_name: image.name },
    }),
    user,
  );
}

/** The node asks for its boot, and gets it. */
async function serve(from = store, digest = DIGEST, way: 'firmware' | 'kexec' = 'firmware'): Promise<void> {
  const row = await from.byId(id);
  assert.ok(row);
  const persist = await from.persistFolder(id, row.image_owner);
  await from.noteServed(row, {
    generation: row.generation,
    digest,
    persist,
    token: 't',
    cycle: null,
    mounts: true,
    way,
  });
}

const ALICES: OwnedNode = { name: 'n1', owner: 'alice' };

async function bootUp(): Promise<void> {
  await serve();
  store.boots.reached(id, { script: now() });
  store.boots.reached(id, { kernel: now() }, { kernel: OTHER });
  await store.noteBooted(id);
}

const order = (cause: 'boot' | 'reboot', user = 'alice') =>
  store.orderBoots([{ ids: [id], hard: false, cause, user }]);
const log = async (from = store) => bootsSeenBy(alice, await from.boots.of(id, BOOTS_KEPT), ALICES);
const causes = async () => (await log()).map(({ cause, user, state }) => [cause, user, state]);
const now = () => Date.now() / 1000;

test('a boot is told from its order to its end', async () => {
  assert.deepEqual(await causes(), [['create', 'alice', 'waiting']]);
  store.boots.restarted(id);
  store.boots.heard(MAC);
  await serve();
  assert.deepEqual(await causes(), [['create', 'alice', 'booting']]);
  store.boots.reached(id, { script: now() });
  store.boots.reached(id, { kernel: now() });
  store.boots.reached(id, { kernel: now() + 5 }, { kernel: OTHER });
  store.boots.reached(id, { initramfs: now() }, { initramfs: DIGEST, platform: OTHER });
  await store.noteBooted(id);
  const [boot, ...others] = await log();
  assert.deepEqual(others, []);
  const { began, steps, ...rest } = boot ?? assert.fail('no boot');
  assert.deepEqual(rest, {
    ...{ generation: 1, attempt: 1, cause: 'create', user: 'alice', state: 'booted' },
    ...{ image: 'alice/exp', digest: DIGEST, kernel: OTHER, initramfs: DIGEST, platform: OTHER },
    ...{ left: null, noKexec: null, failure: null },
  });
  assert.deepEqual(
    steps.map(({ step }) => step),
    ['restart', 'dhcp', 'asked', 'script', 'kernel', 'initramfs', 'booted'],
  );
  const times = [began, ...steps.map(({ at }) => at)];
  assert.deepEqual(
    times,
    times.toSorted((one, other) => one - other),
    'the first time of a step stays',
  );
});

test('the last step of a boot is known as long as it is not up', async () => {
  const last = () => store.boots.lastSteps.get(id);
  await serve();
  assert.equal(last(), undefined);
  store.boots.reached(id, { initramfs: 200 });
  store.boots.reached(id, { network: 150, root: 160, init: 170 });
  assert.equal(last(), 200);
  store.boots.reached(id, { init: 210 });
  assert.equal(last(), 210);
  await store.noteBooted(id);
  store.boots.reached(id, { left: 300 });
  assert.equal(last(), undefined);
});

test('the order that came last is the one that is carried out', async () => {
  await bootUp();
  await order('boot');
  await order('reboot', 'bob');
  assert.deepEqual(await causes(), [
    ['reboot', 'bob', 'waiting'],
    ['create', 'alice', 'booted'],
  ]);
  await bootUp();
  const [{ generation } = assert.fail()] = await log();
  assert.deepEqual([generation, (await causes())[0]], [3, ['reboot', 'bob', 'booted']]);
});

describe('a boot that nobody ordered', () => {
  beforeEach(bootUp);

  test('is one of the node, if it said that it goes down', async () => {
    store.boots.reached(id, { left: now() });
    await serve();
    assert.deepEqual((await causes())[0], ['itself', null, 'booting']);
    assert.notEqual((await log())[1]?.left, null);
  });

  test('is a power cut or a crash, if it said nothing; when it asked for its address, it began', async () => {
    store.boots.heard(MAC);
    await serve();
    const [boot] = await log();
    assert.deepEqual([boot?.cause, boot?.steps[0]?.step], ['unknown', 'dhcp']);
    assert.equal(boot?.began, boot?.steps[0]?.at);
  });

  test('is what the server does about a boot that does not come up, unless a user has ordered one', async () => {
    await order('reboot');
    await serve();
    await store.boots.expectUnlessOrdered(id, 'timeout');
    await serve();
    await store.boots.expectUnlessOrdered(id, 'timeout');
    await order('reboot', 'bob');
    await store.boots.expectUnlessOrdered(id, 'timeout');
    await serve();
    assert.deepEqual(await causes(), [
      ['reboot', 'bob', 'booting'],
      ['timeout', null, 'lost'],
      ['reboot', 'alice', 'lost'],
      ['create', 'alice', 'booted'],
    ]);
    const attempts = (await log()).map(({ attempt }) => attempt);
    assert.deepEqual(attempts, [1, 2, 1, 1]);
  });

  test('follows one that could not go on', async () => {
    await order('reboot');
    for (const attempt of [1, 2]) {
      await serve();
      store.boots.reached(id, { initramfs: now() });
      store.boots.failed(id, { at: now(), reason: `no adapter ${attempt}`, final: false, console: ['x'] });
    }
    await serve();
    const [now3, second, first] = await log();
    assert.deepEqual([now3?.cause, now3?.state, now3?.attempt], ['failure', 'booting', 3]);
    assert.deepEqual([second?.failure?.reason, first?.failure?.reason], ['no adapter 2', 'no adapter 1']);
    assert.deepEqual([second?.state, first?.cause], ['failed', 'reboot']);
  });

  test('goes on, while a loader that has loaded nothing asks again', async () => {
    await order('reboot');
    await serve();
    await serve();
    assert.equal((await log()).length, 2);
    await serve(store, OTHER);
    assert.equal((await log()).length, 3, 'its image’s name points elsewhere by now');
  });
});

describe('a boot by kexec', () => {
  const steps = async () => (await log())[0]?.steps.map(({ step }) => step);
  beforeEach(async () => {
    await bootUp();
    await order('reboot');
    store.boots.restarted(id);
    store.boots.heard(MAC);
    await serve(store, DIGEST, 'kexec');
    store.boots.reached(id, { kernel: now() }, { kernel: OTHER });
  });

  test('begins when its kernel asks for the next one, and goes on as any other', async () => {
    assert.deepEqual((await causes())[0], ['reboot', 'alice', 'booting']);
    await store.noteBooted(id);
    assert.deepEqual(await steps(), ['restart', 'kexec', 'kernel', 'booted']);
    assert.equal((await log())[0]?.attempt, 1);
  });

  test('that does not begin is left to the firmware: the same boot, of which it is told why', async () => {
    await store.boots.withoutKexec(id, 'no memory');
    assert.deepEqual((await causes())[0], ['reboot', 'alice', 'waiting']);
    store.boots.heard(MAC);
    await serve();
    store.boots.reached(id, { kernel: now() });
    await store.noteBooted(id);
    const [boot, before] = await log();
    assert.deepEqual([boot?.noKexec, boot?.attempt, boot?.cause], ['no memory', 1, 'reboot']);
    assert.equal(before?.cause, 'create');
    assert.deepEqual(await steps(), ['restart', 'dhcp', 'asked', 'kernel', 'booted']);
  });

  test('that was refused before it was served is told so, too', async () => {
    await store.noteBooted(id);
    await order('reboot');
    await store.boots.withoutKexec(id, 'its power was to be cut');
    assert.equal((await log())[0]?.noKexec, 'its power was to be cut');
    await bootUp();
    await store.boots.withoutKexec(id, 'made up');
    assert.equal((await log())[0]?.state, 'booted');
  });

  test('that does not come up is followed by one of the firmware', async () => {
    await serve();
    assert.deepEqual(await causes(), [
      ['failure', null, 'booting'],
      ['reboot', 'alice', 'lost'],
      ['create', 'alice', 'booted'],
    ]);
    assert.equal((await log())[0]?.attempt, 2);
  });
});

test('of a node that is up, no step is taken and nothing fails', async () => {
  await bootUp();
  const before = await log();
  store.boots.reached(id, { initramfs: now() }, { initramfs: OTHER, kernel: DIGEST });
  store.boots.failed(id, { at: now(), reason: 'made up', final: true, console: [] });
  assert.deepEqual(await log(), before);
});

test('that nothing more is tried is told of a boot that never began, until it does', async () => {
  await bootUp();
  await order('reboot');
  store.boots.gaveUp(id, { at: now(), reason: 'it has not come up in its time', final: true, console: [] });
  assert.deepEqual((await causes())[0], ['reboot', 'alice', 'failed']);
  const current = (await store.boots.current([id])).get(id);
  assert.equal(current?.failure?.final, true);
  await serve();
  assert.deepEqual((await causes())[0], ['reboot', 'alice', 'booting']);
});

test('the last boots stay, and go with their node', async () => {
  for (let count = 0; count < BOOTS_KEPT + 5; count++) await bootUp();
  assert.equal((await database.selectFrom('node_boot').selectAll().execute()).length, BOOTS_KEPT);
  assert.equal((await store.boots.of(id, 3)).length, 3);
  store.boots.reached(id, { left: now() });
  await store.remove([id]);
  await store.boots.write();
  assert.deepEqual(await database.selectFrom('node_boot').selectAll().execute(), []);
});

test('a node that is removed while it asks for its boot has none', async () => {
  const row = await store.byId(id);
  assert.ok(row);
  await store.remove([id]);
  await store.noteServed(row, {
    generation: 1,
    digest: DIGEST,
    persist: 1,
    token: 't',
    cycle: null,
    mounts: true,
  });
  assert.deepEqual(await log(), []);
});

test('what a node printed is for who may use what it booted', async () => {
  await serve();
  store.boots.failed(id, { at: 1, reason: 'why', final: false, console: ['secret'] });
  const rows = await store.boots.of(id, 1);
  const seen = (caller: typeof alice, node = ALICES) => bootsSeenBy(caller, rows, node)[0]?.failure;
  assert.deepEqual([seen(alice)?.console, seen(bob)?.console], [['secret'], []]);
  assert.equal(seen(bob)?.reason, 'why');
  assert.deepEqual(seen({ ...bob, role: 'administrator' })?.console, ['secret']);
  const free = rows.map((row) => ({ ...row, image: `${PLATFORM_OWNER}/pc-x86-64-default` }));
  assert.deepEqual(bootsSeenBy(bob, free, ALICES)[0]?.failure?.console, ['secret']);
  assert.deepEqual(seen(bob, { ...ALICES, guest: true })?.console, ['secret']);
  assert.deepEqual(seen(bob, { name: 'n1', owner: 'carol', guest: true })?.console, []);
});

test('a server that starts in the middle of a boot goes on with it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-boots-'));
  t.after(() => rm(folder, { recursive: true }));
  const open = async () => {
    const opened = await openDatabase(join(folder, 'walt.db'), serverTables);
    return { opened, store: new NodeStore(opened) };
  };
  const first = await open();
  id = await addNode(first.store, 'alice');
  await serve(first.store);
  first.store.boots.reached(id, { kernel: now() }, { kernel: OTHER });
  await first.store.boots.close();
  await first.opened.destroy();

  const second = await open();
  second.store.boots.reached(id, { initramfs: now() }, { initramfs: OTHER });
  await second.store.noteBooted(id);
  const [boot, ...others] = await log(second.store);
  await second.store.boots.close();
  await second.opened.destroy();
  assert.deepEqual(others, []);
  assert.deepEqual([boot?.state, boot?.kernel, boot?.initramfs], ['booted', OTHER, OTHER]);
  assert.deepEqual(
    boot?.steps.map(({ step }) => step),
    ['asked', 'kernel', 'initramfs', 'booted'],
  );
});
