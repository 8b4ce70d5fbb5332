/** Registries, as users and their administrator meet them: through `walt`, and out of the platform's network. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import type { FoundImage, Image, Registry } from '@walt/contract';
import { type LyingRegistry, startLyingRegistry } from '../packages/server/test/lying-registry.ts';
import { startRegistry, type TestRegistry } from '../packages/server/test/registry.ts';
import type { Client } from './client.ts';
import { processesOf } from './leftovers.ts';
import { DEFAULT_IMAGE, Platform, temporaryFolder } from './platform.ts';
import { until } from './until.ts';

let platform: Platform;
let folder: { path: string } & AsyncDisposable;
let real: TestRegistry;
let slow: LyingRegistry;
let daemon: Client;

before(async () => {
  folder = await temporaryFolder();
  real = await startRegistry(folder.path);
  slow = await startLyingRegistry([randomBytes(50_000).toString('hex'), randomBytes(50_000).toString('hex')]);
  const kind = 'docker-registry-v2';
  platform = await Platform.start({
    registries: [
      { label: 'lab', kind, host: real.host, ca: real.ca, description: 'of this test' },
      { label: 'slow', kind, host: slow.host, protocol: 'http' },
    ],
  });
  daemon = await platform.as('daemon');
});
after(async () => {
  await platform?.close();
  await real?.[Symbol.asyncDispose]();
  await slow?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  slow.lie = undefined;
});

function login(client: Client, password: string) {
  const words = ['registry', 'login', 'lab', '--username', real.username, '--password-stdin'];
  return client.run([client.launcher, ...words], { input: password });
}

const names = async (client: Client) => (await client.json<Image[]>('image', 'show')).map(({ name }) => name);

test('a login is checked, kept for its user alone, and told to nobody', async () => {
  const wrong = await login(platform.root, 'wrong');
  assert.equal(wrong.status, 1);
  assert.match(wrong.stderr, /Registry "lab" does not accept this user name with this password/);
  assert.equal((await login(platform.root, real.password)).status, 0);
  const seen = async (client: Client) => (await client.json<Registry[]>('registry', 'show'))[0]?.username;
  assert.equal(await seen(platform.root), real.username);
  assert.equal(await seen(daemon), null);
  const files = await readdir(platform.paths.logins);
  for (const file of files) assert.equal((await stat(join(platform.paths.logins, file))).mode & 0o777, 0o600);
  assert.ok(!(await readFile(join(platform.paths.logs, 'walt-server.log'), 'utf8')).includes(real.password));
});

test('one user publishes, another finds and clones it', async () => {
  const source = `waltplatform/${DEFAULT_IMAGE}`;
  const published = await platform.root.ok(
    'image',
    'publish',
    source,
    '--registry',
    'lab',
    '--name',
    'team/os:v1',
  );
  assert.match(published, /walt image clone lab:team\/os:v1/);

  const refused = await daemon.walt('image', 'clone', 'lab:team/os:v1');
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /not logged in[\s\S]*walt registry login lab/);

  assert.equal((await login(daemon, real.password)).status, 0);
  const { found } = await daemon.json<{ found: FoundImage[] }>('image', 'search', 'os');
  assert.deepEqual(
    found.map(({ link }) => link),
    ['lab:team/os:v1'],
  );
  await daemon.ok('image', 'clone', 'lab:team/os:v1');
  const mine = (await daemon.json<Image[]>('image', 'show')).find(({ name }) => name === 'os:v1');
  const [original] = (await daemon.json<Image[]>('image', 'show', '--all')).filter(
    ({ fullName }) => fullName === source,
  );
  assert.equal(mine?.digest, original?.digest);

  const twice = await daemon.walt('image', 'clone', `walt:${source}`, 'os:v1');
  assert.equal(twice.status, 1);
  assert.match(twice.stderr, /already[\s\S]*--force/);
  await daemon.ok('image', 'clone', `walt:${source}`, 'os:v1', '--force');
  assert.match(await daemon.ok('registry', 'logout', 'lab'), /no longer logged in/);
});

/** Begins a clone from a registry that does not send the last layer; resolves when that one was asked for. */
async function stuckClone(name: string) {
  const asked = Promise.withResolvers<void>();
  slow.lie = (path) => {
    if (!path.endsWith(slow.layers[1]?.blob ?? '')) return false;
    asked.resolve();
    return true;
  };
  const [file = '', ...words] = platform.root.command('image', 'clone', 'slow:exp:v1', name);
  const client = spawn(file, words, { env: { ...process.env, ...platform.root.env }, stdio: 'ignore' });
  await asked.promise;
  return client;
}

const copying = () => processesOf(platform.marks).filter(({ command }) => command.includes('skopeo'));

test('ctrl-c ends a clone, and nothing of it shows', async () => {
  const client = await stuckClone('given-up');
  assert.equal(copying().length, 1);
  assert.equal(asking().length, 1);
  client.kill('SIGINT');
  await once(client, 'exit');
  await until('the end of skopeo', () => Promise.resolve(copying().length + asking().length === 0));
  assert.ok(!(await names(platform.root)).includes('given-up'));
});

const asking = () => processesOf(platform.marks).filter(({ command }) => command.includes('registry-gate'));

test('a registry without end is left after a bound, and when its user leaves', async () => {
  slow.lie = (path, response) => {
    if (!path.startsWith('/v2/_catalog')) return false;
    const more = () => {
      while (!response.destroyed && response.write('"exp",'.repeat(10_000)));
    };
    response.on('drain', more).write('{"repositories":[');
    more();
    return true;
  };
  const { stdout, stderr } = await daemon.walt('image', 'search');
  assert.match(stdout, new RegExp(`walt:waltplatform/${DEFAULT_IMAGE}`));
  assert.match(stderr, /Without those of slow: Registry "slow" sends more .* than it may/);

  const asked = Promise.withResolvers<void>();
  slow.lie = () => {
    asked.resolve();
    return true;
  };
  const [file = '', ...words] = platform.root.command('image', 'search');
  const client = spawn(file, words, { env: { ...process.env, ...platform.root.env }, stdio: 'ignore' });
  await asked.promise;
  assert.notEqual(asking().length, 0);
  client.kill('SIGINT');
  await until('the end of what asks', () => Promise.resolve(asking().length === 0));
});

test('a server that is killed in a clone leaves nothing half done, and the next attempt ends well', async () => {
  const client = await stuckClone('killed');
  await platform.kill();
  if (client.exitCode === null) await once(client, 'exit');
  await until('the end of skopeo', () => Promise.resolve(copying().length + asking().length === 0));
  await platform.up();
  assert.ok(!(await names(platform.root)).includes('killed'));
  slow.lie = undefined;
  const { status, stdout, stderr } = await platform.root.walt('image', 'clone', 'slow:exp:v1', 'killed');
  assert.equal(status, 0, stderr);
  assert.match(stdout, new RegExp(`slow:exp@${slow.manifest} for ever`));
  assert.match(stderr, /Fetching the image, layer \d of 2/);
  assert.deepEqual(await readdir(join(platform.paths.containers, 'tmp')), []);
});
