import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { beforeEach, describe, test } from 'node:test';
import { pack } from 'tar-stream';
import { failure, openApi } from '../../test/api.ts';
import { Typist } from '../../test/platform.ts';
import { run } from '../platform/index.ts';

const api = await openApi();
const { server } = api;
const { images } = server.platform;

/** The progress and the value of a call that takes its time. */
async function whole<Value>(
  events: Promise<AsyncIterable<{ type: 'progress' } | { type: 'result'; value: Value }>>,
): Promise<{ steps: number; value: Value }> {
  let steps = 0;
  for await (const event of await events) {
    if (event.type === 'result') return { steps, value: event.value };
    steps += 1;
  }
  throw new Error('no result');
}

describe('images', () => {
  beforeEach(async () => {
    await server.addTree('alice/exp');
    await server.addImage('waltplatform/pc-x86-64-default');
  });

  test('are seen and duplicated by everybody', async () => {
    const bob = await api.client('bob');
    assert.deepEqual(await bob.image.list({}), []);
    assert.equal((await bob.image.list({ all: true })).length, 2);
    const image = await bob.image.duplicate({ image: 'alice/exp', newName: 'mine' });
    assert.equal(image.fullName, 'bob/mine');
    await assert.rejects(
      bob.image.duplicate({ image: 'alice/exp', newName: 'mine' }),
      failure('CONFIRM', /You have an image mine already/),
    );
    await bob.image.duplicate({ image: 'alice/exp', newName: 'mine', yes: true });
  });

  test('are changed by their owner and root only', async () => {
    const bob = await api.client('bob');
    const denied = failure(
      'FORBIDDEN',
      /alice\/exp belongs to alice/,
      /walt image duplicate alice\/exp exp-copy/,
    );
    await assert.rejects(bob.image.shell.open({ image: 'alice/exp' }), denied);
    await assert.rejects(bob.image.rename({ image: 'alice/exp', newName: 'x1' }), denied);
    await assert.rejects(bob.image.remove({ image: 'alice/exp', yes: true }), denied);
    await assert.rejects(
      (await api.client('root')).image.remove({ image: 'alice/exp' }),
      failure('CONFIRM', /belongs to alice/),
    );
    await (await api.client('root')).image.remove({ image: 'alice/exp', yes: true });
    assert.equal(await images.find('alice', 'exp'), undefined);
  });

  test('that nodes boot, or that wait to be saved, are not removed', async () => {
    const alice = await api.client('alice');
    const names = ['vnode1', 'vnode2', 'vnode3'];
    for (const name of names) await server.addNode(name, 'alice/exp', 'physical');
    assert.deepEqual((await alice.image.get({ image: 'exp' })).nodes, names);
    await assert.rejects(
      alice.image.remove({ image: 'exp' }),
      failure('CONFLICT', /vnode1, vnode2 and 1 more boot/),
    );
    await alice.node.remove({ set: names.join(','), yes: true });
    const { id } = await alice.image.shell.open({ image: 'exp' });
    assert.equal((await alice.image.get({ image: 'exp' })).session, true);
    await assert.rejects(alice.image.remove({ image: 'exp' }), failure('CONFLICT', /shell session/));
    await alice.image.shell.discard({ session: id });
    assert.equal((await alice.image.remove({ image: 'exp' })).removed, 'alice/exp');
  });

  test('a session is saved by who opened it, with progress, and tells which nodes are behind', async () => {
    const alice = await api.client('alice');
    const bob = await api.client('bob');
    const { id } = await alice.image.shell.open({ image: 'exp' });
    const typist = new Typist(await images.shells.attach(id, { columns: 80, rows: 24 }));
    await typist.type('echo new >/etc/new');
    await typist.exit();
    await server.addNode('vnode1', 'alice/exp', 'physical');
    const changes = await alice.image.shell.changes({ session: id });
    assert.deepEqual([changes.added, changes.nodes], [1, ['vnode1']]);
    assert.deepEqual(await bob.image.shell.list({}), []);
    await assert.rejects(bob.image.shell.save({ session: id }), failure('FORBIDDEN', /opened by alice/));
    await assert.rejects(bob.image.shell.discard({ session: id }), failure('FORBIDDEN', /opened by alice/));
    const { steps, value } = await whole(alice.image.shell.save({ session: id }));
    assert.ok(steps > 0);
    assert.deepEqual([value.image, value.changed, value.nodes], ['alice/exp', true, ['vnode1']]);
  });

  test('saving over another image asks first', async () => {
    const alice = await api.client('alice');
    await server.addImage('alice/other');
    const { id } = await alice.image.shell.open({ image: 'exp' });
    await assert.rejects(
      alice.image.shell.save({ session: id, name: 'other' }),
      failure('CONFIRM', /other already/),
    );
  });

  test('the default image is made with progress', async (t) => {
    // What makes it of packages is played.
    t.mock.method(images, 'makeDefault', async function* () {
      yield { type: 'progress', step: 'Unpacking packages', done: 1, total: 2, unit: 'percent' };
      return { image: await images.get('waltplatform', 'pc-x86-64-default'), made: true };
    });
    const { steps, value } = await whole((await api.client('alice')).image.makeDefault({}));
    assert.equal(steps, 1);
    assert.deepEqual([value.image, value.made], ['waltplatform/pc-x86-64-default', true]);
  });
});

test('space that a removed image takes is told, and given up by its owner only, who is asked', async () => {
  const text = Array.from({ length: 300_000 }, (_, at) => `${Math.sin(at)}`).join('\n');
  await server.addTree('alice/exp', { 'root/large': text });
  await server.addTree('alice/exp', { 'root/large': `other ${text}` });
  const [alice, bob] = [await api.client('alice'), await api.client('bob')];
  const prune = async (client: typeof alice, input: Parameters<typeof alice.image.prune>[0]) =>
    (await whole(client.image.prune(input))).value.removed.length;
  await assert.rejects(
    prune(bob, { image: 'alice/exp', yes: true }),
    failure('FORBIDDEN', /belongs to alice/),
  );
  await assert.rejects(prune(alice, { image: 'none', yes: true }), failure('NOT_FOUND', /none/));
  await assert.rejects(
    prune(alice, { image: 'exp' }),
    failure('CONFIRM', /^1 version of image alice\/exp would go for good \(\d+ MB/),
  );
  assert.equal(await prune(bob, {}), 0, 'the history keeps it');
  assert.equal(await prune(alice, { image: 'exp', dryRun: true }), 1);
  assert.equal(await prune(alice, { image: 'exp', yes: true }), 1);
  assert.equal(await prune(alice, { image: 'exp', dryRun: true }), 0, 'it has gone');
  const { removed, keepDays, size } = await alice.image.remove({ image: 'exp' });
  assert.deepEqual([removed, keepDays], ['alice/exp', 7]);
  assert.ok(size > 1_000_000, `${size} bytes`);
});

describe('versions of images', () => {
  let older: string;
  let newer: string;
  beforeEach(async () => {
    ({ digest: older } = await server.addTree('alice/exp', { 'etc/motd': 'a\n', 'opt/f': 'a\n' }));
    ({ digest: newer } = await server.addTree('alice/exp', { 'etc/motd': 'b\n', 'opt/f': 'b\n' }));
  });

  test('are named in diff and duplicate by number and digest', async () => {
    const bob = await api.client('bob');
    for (const image of ['alice/exp@{1}', `alice/exp@${older}`, `alice/exp@${older.slice(0, 14)}`]) {
      assert.equal((await bob.image.duplicate({ image, newName: 'old', yes: true })).digest, older);
    }
    await assert.rejects(
      bob.image.duplicate({ image: 'alice/exp@{2}', newName: 'x' }),
      failure('NOT_FOUND', /version/),
    );
    const compare = async (input: Parameters<typeof bob.image.diff>[0]) =>
      (await whole(bob.image.diff(input))).value;
    const { from, to, changes } = await compare({ image: 'alice/exp', paths: ['/etc'], contents: true });
    assert.deepEqual(from, { image: 'alice/exp', digest: older });
    assert.deepEqual(to, { image: 'alice/exp', digest: newer });
    assert.deepEqual(
      changes.map(({ path, lines }) => [path, lines]),
      [['/etc/motd', { added: 1, removed: 1 }]],
    );
    const back = await compare({ image: 'alice/exp', other: 'alice/exp@{1}' });
    assert.deepEqual([back.from.digest, back.to.digest], [newer, older]);
  });

  test('bad names and paths are refused', async () => {
    const alice = await api.client('alice');
    const bad = [
      'exp@',
      'exp@{}',
      'exp@{-1}',
      'exp@{1}x',
      'exp@sha256:12',
      'exp@{1}@{1}',
      '../exp',
      'a b',
      '$(id)',
    ];
    for (const image of [...bad, `exp@sha256:${'A'.repeat(64)}`]) {
      await assert.rejects(alice.image.diff({ image }), failure('INVALID', /must look like/));
    }
    for (const path of ['etc', '', '/a\0b', `/${'x'.repeat(5000)}`]) {
      await assert.rejects(alice.image.diff({ image: 'exp', paths: [path] }), { code: 'INVALID' }, path);
    }
    await assert.rejects(
      alice.image.diff({ image: 'exp', paths: ['/etc/../..'] }),
      failure('INVALID', /"\.\."/),
    );
    await assert.rejects(alice.image.log({ image: 'nosuch' }), failure('NOT_FOUND', /nosuch/));
    await assert.rejects(alice.image.undo({ image: 'nosuch' }), failure('NOT_FOUND', /nosuch/));
  });

  test('are seen by everybody, and undone by their owner and root only', async () => {
    const bob = await api.client('bob');
    await server.addNode('vnode1', 'alice/exp');
    assert.deepEqual(
      (await bob.image.log({ image: 'alice/exp' })).map(({ version }) => version),
      [0, 1],
    );
    await assert.rejects(bob.image.undo({ image: 'alice/exp' }), failure('FORBIDDEN', /belongs to alice/));
    const undone = await (await api.client('root')).image.undo({ image: 'alice/exp' });
    assert.deepEqual([undone.digest, undone.nodes, undone.undone.action], [older, ['vnode1'], 'import']);
    const own = await bob.image.details({ image: 'alice/exp' });
    assert.deepEqual([own.shared, own.versions, own.outdated], [0, 1, ['vnode1']]);
    assert.ok(own.disk > 0);
    await bob.image.duplicate({ image: 'alice/exp', newName: 'mine' });
    const shared = await bob.image.details({ image: 'alice/exp' });
    assert.deepEqual([shared.disk, shared.shared], [own.disk, own.disk]);
  });

  test('that are not kept are removed, or named', async () => {
    const alice = await api.client('alice');
    // Ten older versions are kept, whatever their age.
    for (let version = 0; version < 10; version += 1)
      await server.addTree('alice/exp', { 'etc/motd': String(version) });
    const { database } = server.platform;
    await database
      .updateTable('image_history')
      .set({ at: Math.floor(Date.now() / 1000) - 30 * 86_400 })
      .execute();
    for (const dryRun of [true, false]) {
      const { steps, value } = await whole(alice.image.prune({ dryRun }));
      assert.equal(steps > 0, !dryRun);
      assert.deepEqual(
        value.removed.map(({ digest }) => digest),
        [older],
      );
      assert.deepEqual([value.keepVersions, value.keepDays], [10, 7]);
      assert.ok(value.size > 0);
    }
    assert.deepEqual((await whole(alice.image.prune({}))).value.removed, []);
  });
});

describe('squash', () => {
  test('replaces an image of the caller, and asks before it replaces another one', async () => {
    const below = await server.addTree('alice/exp');
    const tar = pack();
    tar.entry({ name: 'added' }, 'x');
    tar.finalize();
    await images.writeFiles('alice', below, '/etc', Readable.from(tar));
    await server.addImage('bob/mine');
    await server.addNode('vnode1', 'alice/exp', 'physical');
    const squash = async (user: string, input: { image: string; newName?: string; yes?: boolean }) =>
      (await whole((await api.client(user)).image.squash(input))).value;
    const { image, changed, nodes } = await squash('alice', { image: 'exp' });
    assert.deepEqual([image, changed, nodes], ['alice/exp', true, ['vnode1']]);
    assert.equal((await images.get('alice', 'exp')).layers.length, 1);
    const others = { image: 'alice/exp', newName: 'mine' };
    await assert.rejects(squash('bob', { image: 'alice/exp' }), failure('FORBIDDEN', /belongs to alice/));
    await assert.rejects(squash('bob', others), failure('CONFIRM', /mine already/));
    assert.equal((await squash('bob', { ...others, yes: true })).image, 'bob/mine');
    for (const newName of ['', 'Two', '../x', '--yes', 'default']) {
      await assert.rejects(squash('bob', { image: 'alice/exp', newName }), { code: 'INVALID' }, newName);
    }
    await assert.rejects(squash('alice', { image: 'nosuch' }), failure('NOT_FOUND', /nosuch/));
  });
});

describe('SSH certificates', () => {
  test('are given for own and free nodes', async () => {
    const own = await api.node('vnode1');
    const free = await api.node('vnode2', 'waltplatform/pc-x86-64-default');
    await api.node('vnode3', 'bob/debian');
    const key = join(api.folder, 'id');
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key]);
    const publicKey = await readFile(`${key}.pub`, 'utf8');
    const alice = await api.client('alice');
    const certified = await alice.access.certify({ publicKey, nodes: ['vnode1', 'vnode2', 'vnode2'] });
    assert.match(certified.certificate, /^ssh-ed25519-cert-v01@openssh\.com \S+/);
    for (const [name, { id }] of Object.entries({ vnode1: own, vnode2: free }))
      assert.match(certified.hostKeyAliases[name] ?? '', new RegExp(`^walt-node-${id}-[0-9a-f]{16}$`));
    assert.match(certified.knownHosts, /^@cert-authority walt-node-\* ssh-ed25519 \S+\n$/);
    await assert.rejects(
      alice.access.certify({ publicKey, nodes: ['vnode1', 'vnode3'] }),
      failure('FORBIDDEN', /vnode3 belongs to bob/, /Ask bob/),
    );
    await (await api.client('root')).access.certify({ publicKey, nodes: ['vnode3'] });
    await assert.rejects(
      alice.access.certify({ publicKey: 'x', nodes: ['vnode1'] }),
      failure('INVALID', /public key/),
    );
  });
});
