import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { startServer, type TestServer, USER } from '../../test/server.ts';

let server: TestServer;
before(async () => {
  server = await startServer();
});
after(() => server[Symbol.asyncDispose]());
beforeEach(async () => {
  await server.clear();
  await server.addImage(`${USER}/debian`);
  await server.addNode('vnode1');
});

const view = async () => {
  const { state, running, boot } = await server.nodes.lookup.view('vnode1');
  return { state, running: running !== null, step: boot?.step };
};
const program = async () => `vm-${(await server.nodes.store.byName('vnode1'))?.id}`;
/** Ends when `walt node wait` would. */
const boots = async () => {
  const caller = { uid: 1001, user: USER, role: 'member' as const };
  const waiting = await server.nodes.calls.wait(caller, { set: 'vnode1' }, new AbortController().signal);
  for await (const _ of waiting);
};
const booted = { state: 'booted', running: true, step: undefined };

test('a node whose machine was started anew boots, whatever the boot before has told', async () => {
  assert.deepEqual(await view(), booted);
  const release = server.machines.hold();
  await server.machines.stop(await program());
  assert.equal((await view()).state, 'off');
  await server.nodes.reconciler.reconcile();
  assert.deepEqual(await view(), { state: 'booting', running: false, step: 'restart' });
  release();
  await boots();
  assert.deepEqual(await view(), booted);
});

test('so does one whose machine ended by itself, of whose boot nothing is known yet', async () => {
  const release = server.machines.hold();
  await server.machines.stop(await program());
  await server.machines.ensure({ name: await program() });
  assert.deepEqual(await view(), { state: 'booting', running: false, step: undefined });
  release();
  await boots();
  assert.deepEqual(await view(), booted);
});
