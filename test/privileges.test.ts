/** What a platform needs from its machine: where it is missing, that is said, and nothing is half done. */
import assert from 'node:assert/strict';
import { chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ServerStatus } from '@walt/contract';
import { attempt } from '../packages/server/src/platform/index.ts';
import { type Client, checkout } from './client.ts';
import { leftovers } from './leftovers.ts';
import { Platform } from './platform.ts';

let platform: Platform;
let user: Client;

before(async () => {
  platform = await Platform.start({ image: false });
  user = await platform.as('daemon');
});
after(() => platform?.close());

for (const program of [
  'walt-server start',
  'walt-server stop',
  'walt-server cleanup --delete-data',
  'quickstart',
  'run-tests',
]) {
  test(`${program} without root`, async () => {
    const [name = '', ...words] = program.split(' ');
    const { status, stdout, stderr } = await user.run([join(dirname(user.launcher), name), ...words], {
      env: { WALT_CONFIG: platform.configFile },
    });
    assert.equal(status, 1, stdout);
    assert.match(stderr, /root/);
    assert.match(stderr, /→ .*sudo/);
    await platform.status(); // it still runs
  });
}

test('others reach the socket and nothing of what the platform keeps, also after an older version left it open', async () => {
  const { config, paths } = platform;
  for (const folder of [config.state, paths.logs, paths.keys, paths.containers]) await chmod(folder, 0o755);
  const { status } = await platform.server('restart');
  assert.equal(status, 0);
  for (const path of [config.state, paths.database, paths.logs, paths.volumes, `${config.state}/.`]) {
    for (const tool of [['ls', '-A'], ['cat'], ['test', '-e']]) {
      const { status, stdout } = await user.run(user.argv(...tool, path));
      const isInside = path !== config.state || tool[0] !== 'test';
      assert.ok(!isInside || status !== 0, `${tool.join(' ')} ${path}`);
      assert.equal(stdout, '');
    }
  }
  for (const path of [paths.programs, paths.containersRun, paths.virtualRun]) {
    assert.notEqual((await user.run(user.argv('ls', '-A', '--', `${path}/`))).status, 0, path);
  }
  // As one of them, a user of the platform proves who he is in the folder for that.
  assert.equal((await user.json<ServerStatus>('advanced', 'server-status')).user, 'daemon');
  assert.equal((await stat(paths.auth)).mode & 0o7777, 0o1733);
});

test('a second platform in the same namespace is refused, and the first one goes on', async () => {
  const folder = join(platform.folder, 'second');
  await mkdir(folder);
  const file = join(folder, 'server.conf');
  await writeFile(
    file,
    `state: ${folder}/state\nruntime: ${folder}/run\nnetwork: { namespace: ${platform.namespace} }\n`,
  );
  const before = (await platform.status()).programs;
  const second = (...words: string[]) =>
    attempt([join(checkout, 'walt-server'), ...words], { env: { WALT_CONFIG: file } });
  const { status, stderr } = await second('start');
  assert.equal(status, 1);
  assert.match(stderr, new RegExp(platform.namespace), 'it names the namespace');
  assert.match(stderr, /→ .+/);
  // Neither may its cleanup take away what belongs to the first.
  await second('cleanup', '--delete-data');
  assert.deepEqual((await platform.status()).programs, before);
});

test('a wrong configuration is named with its file and key', async () => {
  const file = join(platform.folder, 'wrong.conf');
  for (const [text, names] of [
    ['network: { namespace: Too-Long-And-Upper }', /wrong\.conf: network\.namespace/],
    ['state: relative/path', /wrong\.conf: state: must be an absolute path/],
    ['no-such-key: 1', /wrong\.conf.*no-such-key/],
    ['a: [', /wrong\.conf is not valid YAML/],
  ] as const) {
    await writeFile(file, text);
    const { status, stderr } = await attempt([join(checkout, 'walt-server'), 'start'], {
      env: { WALT_CONFIG: file },
    });
    assert.equal(status, 1, text);
    assert.match(stderr, names);
  }
});

test('without /dev/net/tun the platform does not start, and that is said', async () => {
  await using other = await Platform.start({ start: false });
  // A mount namespace of its own in which the device is hidden.
  const script = 'mount -t tmpfs none /dev/net && exec "$1" start';
  const { status, stderr } = await attempt(
    ['unshare', '--mount', 'sh', '-c', script, 'sh', join(checkout, 'walt-server')],
    { env: { WALT_CONFIG: other.configFile } },
  );
  assert.equal(status, 1);
  assert.match(stderr, /\/dev\/net\/tun[\s\S]*→ .+tun/);
  assert.equal((await other.server('status')).status, 3, 'nothing runs');
  assert.deepEqual(await leftovers(other.marks), []);
});
