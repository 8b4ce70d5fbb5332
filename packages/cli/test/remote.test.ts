/** `walt` on a laptop and the server elsewhere, with real ssh and sshd between them. */
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { openClient } from './client.ts';
import { Lab, SERVER_ADDRESS, signIn } from './lab.ts';

const { server, checkout } = await openClient({ signIn });
let lab: Lab;
before(async () => {
  lab = await Lab.open(server, checkout);
  await server.addTree('alice/debian');
  await server.addNode('vnode1');
});
after(() => lab[Symbol.asyncDispose]());

const ALICE = `ssh://alice@${SERVER_ADDRESS}`;

describe('a call', () => {
  test('is made by whom the login is there, and the second one starts no program', async () => {
    const env = lab.env(ALICE);
    const first = await lab.run(['node', 'show', '--json'], { env });
    assert.equal(first.status, 0, first.stderr);
    assert.equal(first.stderr, '');
    assert.equal(JSON.parse(first.stdout)[0].name, 'vnode1');
    const second = await lab.run(['node', 'show', '--json'], { env: { ...env, PATH: '/nowhere' } });
    assert.deepEqual(second, first);
  });
});
