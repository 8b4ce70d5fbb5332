import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { failure, startApi, type TestApi } from '../../test/api.ts';
import { run } from '../platform/index.ts';

let api: TestApi;
beforeEach(async () => {
  api = await startApi();
});
afterEach(() => api[Symbol.asyncDispose]());

describe('images', () => {
  beforeEach(() => {
    api.images.add('alice', 'exp');
    api.images.add('waltplatform', 'pc-x86-64-default');
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
  });

  test('that nodes boot, or that wait to be saved, are not removed', async () => {
    const alice = await api.client('alice');
    api.nodes.booting = new Map([['alice/exp', ['vnode1', 'vnode2', 'vnode3']]]);
    assert.deepEqual((await alice.image.get({ image: 'exp' })).nodes, ['vnode1', 'vnode2', 'vnode3']);
    await assert.rejects(
      alice.image.remove({ image: 'exp' }),
      failure('CONFLICT', /vnode1, vnode2 and 1 more boot/),
    );
    api.nodes.booting = new Map();
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
    api.nodes.booting = new Map([['alice/exp', ['vnode1']]]);
    assert.deepEqual((await alice.image.shell.changes({ session: id })).nodes, ['vnode1']);
    assert.deepEqual(await bob.image.shell.list({}), []);
    await assert.rejects(bob.image.shell.save({ session: id }), failure('FORBIDDEN', /opened by alice/));
    await assert.rejects(bob.image.shell.discard({ session: id }), failure('FORBIDDEN', /opened by alice/));
    const events = [];
    for await (const event of await alice.image.shell.save({ session: id })) events.push(event);
    assert.deepEqual(
      events.map((event) => event.type),
      ['progress', 'result'],
    );
    const last = events.at(-1);
    assert.ok(last?.type === 'result');
    assert.deepEqual(last.value.nodes, ['vnode1']);
  });

  test('saving over another image asks first', async () => {
    const alice = await api.client('alice');
    api.images.add('alice', 'other');
    const { id } = await alice.image.shell.open({ image: 'exp' });
    await assert.rejects(
      alice.image.shell.save({ session: id, name: 'other' }),
      failure('CONFIRM', /other already/),
    );
  });

  test('the default image is made with progress', async () => {
    const events = [];
    for await (const event of await (await api.client('alice')).image.makeDefault({})) events.push(event);
    assert.deepEqual(
      events.map((event) => event.type),
      ['progress', 'result'],
    );
  });
});

test('space that a removed image takes is told, and given up by its owner only, who is asked', async () => {
  api.images.add('alice', 'exp');
  const [alice, bob] = [await api.client('alice'), await api.client('bob')];
  const prune = async (client: typeof alice, input: Parameters<typeof alice.image.prune>[0]) => {
    const events = [];
    for await (const event of await client.image.prune(input)) events.push(event);
    const last = events.at(-1);
    assert.ok(last?.type === 'result');
    return last.value.removed.length;
  };
  await assert.rejects(
    prune(bob, { image: 'alice/exp', yes: true }),
    failure('FORBIDDEN', /belongs to alice/),
  );
  await assert.rejects(prune(alice, { image: 'none', yes: true }), failure('NOT_FOUND', /none/));
  await assert.rejects(
    prune(alice, { image: 'exp' }),
    failure('CONFIRM', /^1 version of image alice\/exp would go for good \(4 MB/),
  );
  assert.equal(await prune(alice, { image: 'exp', dryRun: true }), 2);
  assert.equal(await prune(alice, { image: 'exp', yes: true }), 2);
  assert.equal(await prune(bob, {}), 1);
  assert.deepEqual(await alice.image.remove({ image: 'exp' }), {
    ...{ removed: 'alice/exp', keepDays: 7, size: 4_000_000 },
  });
});

describe('versions of images', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  beforeEach(() => {
    api.images.add('alice', 'exp');
  });

  test('are named in diff and duplicate by number and digest', async () => {
    const bob = await api.client('bob');
    for (const image of ['alice/exp@{1}', `alice/exp@${digest}`, `alice/exp@${digest.slice(0, 14)}`]) {
      assert.equal((await bob.image.duplicate({ image, newName: 'old', yes: true })).digest, digest);
    }
    await assert.rejects(
      bob.image.duplicate({ image: 'alice/exp@{2}', newName: 'x' }),
      failure('NOT_FOUND', /version/),
    );
    const compare = async (input: Parameters<typeof bob.image.diff>[0]) => {
      const events = [];
      for await (const event of await bob.image.diff(input)) events.push(event);
      const last = events.at(-1);
      assert.ok(last?.type === 'result');
      return last.value;
    };
    const { from, to, changes } = await compare({ image: 'alice/exp', paths: ['/etc'], contents: true });
    assert.deepEqual(from, { image: 'alice/exp', digest });
    assert.notEqual(to.digest, digest);
    assert.deepEqual(changes[0]?.lines, { added: 1, removed: 1 });
    assert.deepEqual(api.images.history.compared, ['/etc']);
    assert.equal((await compare({ image: 'alice/exp', other: 'alice/exp@{1}' })).to.digest, digest);
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
    api.nodes.booting = new Map([['alice/exp', ['vnode1']]]);
    assert.deepEqual(
      (await bob.image.log({ image: 'alice/exp' })).map(({ version }) => version),
      [0, 1],
    );
    await assert.rejects(bob.image.undo({ image: 'alice/exp' }), failure('FORBIDDEN', /belongs to alice/));
    const undone = await (await api.client('root')).image.undo({ image: 'alice/exp' });
    assert.deepEqual([undone.digest, undone.nodes, undone.undone.action], [digest, ['vnode1'], 'shell']);
    const details = await bob.image.details({ image: 'alice/exp' });
    assert.deepEqual([details.disk, details.shared, details.versions], [22, 11, 1]);
    assert.deepEqual(details.outdated, ['vnode1']);
  });

  test('that are not kept are removed, or named', async () => {
    const alice = await api.client('alice');
    for (const dryRun of [true, false]) {
      const events = [];
      for await (const event of await alice.image.prune({ dryRun })) events.push(event);
      assert.equal(events.length, dryRun ? 1 : 2);
      const last = events.at(-1);
      assert.ok(last?.type === 'result');
      assert.deepEqual([last.value.size, last.value.keepVersions, last.value.keepDays], [3, 10, 7]);
    }
  });
});

describe('squash', () => {
  test('replaces an image of the caller, and asks before it replaces another one', async () => {
    api.images.add('alice', 'exp');
    api.images.add('bob', 'mine');
    api.nodes.booting = new Map([['alice/exp', ['vnode1']]]);
    const squash = async (user: string, input: { image: string; newName?: string; yes?: boolean }) => {
      const client = await api.client(user);
      for await (const event of await client.image.squash(input))
        if (event.type === 'result') return event.value;
      throw new Error('no result');
    };
    const { image, changed, nodes } = await squash('alice', { image: 'exp' });
    assert.deepEqual([image, changed, nodes], ['alice/exp', true, ['vnode1']]);
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
    api.nodes.add('vnode1', { owner: 'alice' });
    api.nodes.add('vnode2');
    api.nodes.add('vnode3', { owner: 'bob' });
    const key = `${api.folder}/id`;
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key]);
    const publicKey = await readFile(`${key}.pub`, 'utf8');
    const alice = await api.client('alice');
    const certified = await alice.access.certify({ publicKey, nodes: ['vnode1', 'vnode2', 'vnode2'] });
    assert.match(certified.certificate, /^ssh-ed25519-cert-v01@openssh\.com \S+/);
    assert.match(certified.hostKeyAliases.vnode1 ?? '', /^walt-node-1-[0-9a-f]{16}$/);
    assert.match(certified.hostKeyAliases.vnode2 ?? '', /^walt-node-2-[0-9a-f]{16}$/);
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
