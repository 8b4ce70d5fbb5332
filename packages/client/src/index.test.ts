import assert from 'node:assert/strict';
import { once } from 'node:events';
import { globSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CONTRACT_HEADER } from '@walt/contract';
import { build } from 'esbuild';
import { startServer, type TestServer } from '../../server/test/server.ts';
import { connect, resultOf, tellError } from './index.ts';

const PACKAGES = join(import.meta.dirname, '../..');

let server: TestServer;
before(async () => {
  server = await startServer();
  process.env.XDG_CACHE_HOME = join(server.folder, 'cache');
  await server.addImage('alice/debian');
});
after(() => server[Symbol.asyncDispose]());

test('a program connects, calls, and follows a long call to its result', async () => {
  const release = server.machines.hold();
  await server.addNode('vnode1');
  const { client } = connect(server.socket);
  const [node] = await client.node.list({ set: 'all-nodes' });
  assert.equal(node?.name, 'vnode1');
  const steps: string[] = [];
  const result = await resultOf(client.node.wait({ set: 'vnode1' }), ({ step }) => {
    steps.push(step);
    release();
  });
  assert.deepEqual(steps, ['vnode1 boots (restart)']);
  assert.deepEqual(result.nodes, ['vnode1']);
});

test('what fails tells a code, a sentence and the next step, whoever refused', async () => {
  const { client } = connect(server.socket);
  const told = async (call: Promise<unknown>) => tellError(await call.catch((error: unknown) => error));
  const unknown = await told(client.node.list({ set: 'nowhere' }));
  assert.equal(unknown?.code, 'NOT_FOUND');
  const illFormed = await told(client.node.list({ set: 'No Where' }));
  assert.equal(illFormed?.code, 'INVALID');
  assert.match(illFormed?.message ?? '', /^The set of nodes "No Where" must be node names/);
  const newer = client.node as unknown as { explode(input: object): Promise<unknown> };
  const other = await told(newer.explode({}));
  assert.deepEqual(
    [other?.code, other?.message],
    ['NOT_FOUND', 'The server knows no call "/rpc/node/explode".'],
  );
  assert.match(other?.hint ?? '', /same version/);
  const gone = await told(connect('/nonexistent/walt.sock').client.server.status());
  assert.deepEqual([gone?.code, gone?.message.includes('/nonexistent/walt.sock')], ['UNAVAILABLE', true]);
  assert.equal(tellError(new TypeError('ours')), undefined);
});

test('a server of another major version of the contract is asked nothing more', async () => {
  const socket = join(server.folder, 'newer.sock');
  const asked: string[] = [];
  const newer = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.setHeader(CONTRACT_HEADER, '2.0').end('{}');
  });
  newer.listen(socket);
  await once(newer, 'listening');
  const error = await connect(socket)
    .client.node.list({ set: 'all-nodes' })
    .catch((thrown: unknown) => thrown);
  assert.match(tellError(error)?.message ?? '', /too far apart: .* the server speaks version 2\.0\.$/);
  assert.equal(tellError(error)?.hint, 'Upgrade walt on this machine.');
  assert.deepEqual(asked, ['/rpc/auth/challenge']);
  newer.closeAllConnections();
  newer.close();
});

/** Files that a program loads which imports this one. */
async function loadedBy(file: string): Promise<string[]> {
  const { metafile } = await build({
    ...{ entryPoints: [file], absWorkingDir: PACKAGES, outdir: '/nowhere' },
    ...{ bundle: true, write: false, metafile: true, format: 'esm', platform: 'node', logLevel: 'silent' },
  });
  return Object.keys(metafile.inputs).filter((input) => !/\.test\.ts$/.test(input));
}

test('a client loads no schema library, and nothing of the command line', async () => {
  const loaded = await loadedBy(join(import.meta.dirname, 'index.ts'));
  assert.ok(loaded.includes('client/src/connection.ts'));
  assert.deepEqual(
    loaded.filter((file) => /node_modules\/(zod|commander)\/|^cli\/|^server\//.test(file)),
    [],
  );
});

test('the values of the contract import nothing but each other', async () => {
  const folder = join(PACKAGES, 'contract/src/values');
  const own = globSync('**/*.ts', { cwd: folder }).filter((file) => !/\.test\.ts$/.test(file));
  const loaded = await loadedBy(join(folder, 'index.ts'));
  assert.deepEqual(loaded.sort(), own.map((file) => `contract/src/values/${file}`).sort());
});
