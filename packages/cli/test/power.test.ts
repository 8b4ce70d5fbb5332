/** Power of physical nodes, from the command line to what their sources do. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { BMC_PASSWORD, BMC_USER, PlayedBmc } from '../../server/test/bmc.ts';
import { makeCertificates } from '../../server/test/registry.ts';
import { outcome } from './checkout.ts';
import { openClient } from './client.ts';

const folder = await mkdtemp(join(tmpdir(), 'walt-power-'));
await chmod(folder, 0o755);
const { ca, certificate, key } = await makeCertificates(folder);
const bmc = await PlayedBmc.listen({ certificate, key });
after(async () => {
  await bmc.close();
  await rm(folder, { recursive: true });
});
const passwordFile = join(folder, 'password');
const plug = (act: string) => [
  '/bin/sh',
  '-c',
  `echo "$@" >> ${folder}/plugs`,
  'sh',
  act,
  '{port}',
  '{name}',
];
const { server, checkout } = await openClient({
  power: {
    chassis: {
      ...{
        kind: 'redfish',
        host: '127.0.0.1',
        port: bmc.port,
        user: BMC_USER,
        passwordFile,
        network: 'host',
      },
      ...{ ca, fingerprint: undefined },
    },
    plugs: { kind: 'command', on: plug('on'), off: plug('off'), user: 'nobody', network: 'host' },
  },
});

beforeEach(async () => {
  await server.clear();
  await server.addImage('waltplatform/pc-x86-64-default');
  await server.addImage('alice/debian');
  await server.addNode('vnode1');
  for (const name of ['pc1', 'pc2']) await server.addNode(name, 'alice/debian', 'physical');
  bmc.systems.clear();
  for (const id of ['1', '2'])
    bmc.systems.set(id, { PowerState: 'On', offers: ['On', 'ForceOff', 'ForceRestart', 'PowerCycle'] });
  bmc.resets.length = 0;
  bmc.twist = () => false;
  await writeFile(passwordFile, BMC_PASSWORD, { mode: 0o600 });
  await writeFile(join(folder, 'plugs'), '');
  await chmod(join(folder, 'plugs'), 0o666);
});

/** What a command prints; it must succeed. */
async function walt(...words: string[]): Promise<string> {
  const { status, stdout, stderr } = await checkout.run(words);
  assert.deepEqual([status, stderr], [0, ''], words.join(' '));
  return stdout;
}

async function refused(...words: string[]): Promise<string> {
  const { status, stderr } = await checkout.run(words);
  assert.equal(status, 1, words.join(' '));
  return stderr;
}

test('node show tells who has the power, and whether it is on', async () => {
  await walt('node', 'config', 'pc1', 'power=chassis:1');
  // A listing waits two seconds for it, at most; what comes later is told by the next one.
  const told = /^pc1 .* physical +chassis:1 \(on\)$/m;
  const deadline = Date.now() + 60_000;
  let listing = await walt('node', 'show');
  while (!told.test(listing) && Date.now() < deadline) listing = await walt('node', 'show');
  assert.match(listing, told);
  const [pc1] = JSON.parse(await walt('node', 'show', '--json'));
  assert.deepEqual([pc1.power.kind, pc1.power.source, pc1.trouble], ['redfish', 'chassis:1', null]);
});

test('a hard reboot cuts the power and gives it back', async () => {
  await walt('node', 'config', 'pc1', 'power=chassis:1');
  await walt('node', 'config', 'pc2', 'power=plugs:7');
  assert.equal(await walt('node', 'reboot', '--hard', 'pc1,pc2'), 'pc1 and pc2 reboot.\n');
  assert.deepEqual(bmc.resets, ['1 PowerCycle']);
  assert.equal(await readFile(join(folder, 'plugs'), 'utf8'), 'off 7 pc2\non 7 pc2\n');
});

test('a machine that never booted from here is only switched on', async () => {
  await walt('node', 'config', 'pc1', 'power=chassis:1');
  await walt('node', 'reboot', 'pc1');
  assert.deepEqual(bmc.resets, [], 'it is on, perhaps for somebody else');
  bmc.systems.set('1', { PowerState: 'Off', offers: null });
  await walt('node', 'boot', 'pc1', 'debian');
  assert.deepEqual(bmc.resets, ['1 On']);
});

test('a source that fails is told to who needs it, and by node show until it works again', async () => {
  await writeFile(passwordFile, 'nothing');
  await walt('node', 'config', 'pc1', 'power=chassis:1');
  const message = 'The source of power chassis does not let us in.';
  const hint = `Correct power.chassis.user in server.conf, or the password in ${passwordFile}.`;
  assert.equal(await refused('node', 'reboot', '--hard', 'pc1'), `walt: ${message}\n  → ${hint}\n`);
  assert.match(
    await walt('node', 'show'),
    /\npc1: The source of power chassis does not let us in\.\n {2}→ Correct /,
  );
  await writeFile(passwordFile, BMC_PASSWORD);
  await walt('node', 'reboot', '--hard', 'pc1');
  assert.deepEqual(bmc.resets, ['1 PowerCycle']);
  assert.doesNotMatch(await walt('node', 'show'), /The source of power/);
});

test('a plug is not pulled while the agent may be between two questions: it is told when it asks again', async () => {
  await walt('node', 'config', 'pc2', 'power=plugs:7');
  const { store, agents } = server.nodes;
  const row = (await store.all()).find(({ name }) => name === 'pc2');
  assert.ok(row);
  const { id } = row;
  await store.noteServed(row, {
    ...{ generation: 1, digest: `sha256:${'0'.repeat(64)}`, token: 'none', cycle: null, mounts: true },
    persist: await store.persistFolder(id, 'alice'),
  });
  await store.noteBooted(id);
  const question = new AbortController();
  const answered = agents.poll(id, question.signal);
  question.abort();
  assert.equal(await answered, 'stay');
  const root = { uid: 0, user: 'alice', role: 'administrator' as const };
  const input = { set: 'pc2', hard: false, yes: false };
  const told = await server.services.calls.node.reboot(root, input, AbortSignal.timeout(60_000));
  assert.deepEqual(told, { nodes: ['pc2'], unheard: [] });
  const next = agents.poll(id, AbortSignal.timeout(60_000));
  await server.nodes.reconciler.reconcile();
  assert.equal(await next, 'reboot');
  assert.equal(await readFile(join(folder, 'plugs'), 'utf8'), '');
});

test('one that does not answer keeps nobody else waiting', async () => {
  await walt('node', 'config', 'pc1', 'power=chassis:1');
  const { promise: asked, resolve } = Promise.withResolvers<ServerResponse>();
  bmc.twist = (_, response) => {
    resolve(response);
    return true;
  };
  const waiting = checkout.start(['node', 'reboot', '--hard', 'pc1']);
  const told = outcome(waiting);
  const response = await asked;
  assert.equal(await walt('node', 'reboot', '--hard', 'vnode1'), 'vnode1 reboots.\n');
  await server.nodes.reconciler.reconcile();
  assert.equal(waiting.exitCode, null, 'it still waits');
  response.destroy();
  const { status, stderr } = await told;
  assert.equal(status, 1);
  assert.match(stderr, /The source of power chassis does not answer at 127\.0\.0\.1/);
});

test('a plug switches one node, and only an administrator says which', async () => {
  await walt('node', 'config', 'pc1', 'power=chassis:1');
  assert.match(
    await refused('node', 'config', 'pc2', 'power=chassis:1'),
    /pc1 is switched by chassis:1 already\.\n {2}→ Take it away there first: walt node config pc1 power=none/,
  );
  assert.match(
    await refused('node', 'config', 'pc1,pc2', 'power=chassis:2'),
    /chassis:2 is the power of one node/,
  );
  assert.match(
    await refused('node', 'config', 'pc2', 'power=plugs'),
    /plugs has several ports\.\n.*power=plugs:PORT/,
  );
  const alice = { uid: 1000, user: 'alice', role: 'member' as const };
  const input = { set: 'pc1', settings: [{ name: 'power', value: 'none' }], yes: true };
  await assert.rejects(server.services.calls.node.config(alice, input, AbortSignal.timeout(60_000)), {
    code: 'FORBIDDEN',
    message: 'Only an administrator says who has the power of a node.',
  });
  assert.match(await walt('node', 'config', 'pc1'), /power=chassis:1/);
  await walt('node', 'config', 'pc1', 'power=none');
  // Both ask before either has it.
  const root = { uid: 0, user: 'root', role: 'administrator' as const };
  const both = ['pc1', 'pc2'].map((set) =>
    server.services.calls.node.config(
      root,
      { set, settings: [{ name: 'power', value: 'chassis:1' }], yes: true },
      AbortSignal.timeout(60_000),
    ),
  );
  const ends = (await Promise.allSettled(both)).map(({ status }) => status).sort();
  assert.deepEqual(ends, ['fulfilled', 'rejected']);
  await walt('node', 'config', 'pc1,pc2', 'power=none');
  await walt('node', 'config', 'pc2', 'power=chassis:1');
});

test('a source that server.conf no longer has is told', async () => {
  const [pc1] = (await server.nodes.store.all()).filter(({ name }) => name === 'pc1');
  await server.nodes.store.configure([pc1?.id ?? 0], { power: 'gone:3' });
  assert.match(
    await walt('node', 'show'),
    /pc1: The source of power gone is not in server\.conf any more\.\n {2}→ Put it there again, or: sudo walt node config pc1 power=none/,
  );
});
