import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { run } from '../platform/index.ts';
import { failure, startApi, type TestApi } from './testing.ts';

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
    assert.deepEqual(await alice.image.remove({ image: 'exp' }), { removed: 'alice/exp' });
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
    assert.deepEqual(certified.hostKeyAliases, { vnode1: 'walt-node-1', vnode2: 'walt-node-2' });
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
