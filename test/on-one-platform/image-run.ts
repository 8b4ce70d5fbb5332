/** `walt image run`: what a script relies on. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import type { Image } from '@walt/contract';
import { attempt } from '../../packages/server/src/platform/index.ts';
import { DEFAULT_IMAGE, type Platform } from '../platform.ts';
import { leavePlatform, usePlatform } from '../shared-platform.ts';
import { until } from '../until.ts';

let platform: Platform;

before(async () => {
  platform = await usePlatform();
  await platform.root.ok('image', 'duplicate', `waltplatform/${DEFAULT_IMAGE}`, 'base');
});
after(leavePlatform);

async function digestOf(name: string): Promise<string | undefined> {
  const images = await platform.root.json<Image[]>('image', 'show');
  return images.find((image) => image.name === name)?.digest;
}

async function containers(): Promise<string> {
  const { containers, containersRun } = platform.paths;
  const list = ['podman', '--root', containers, '--runroot', containersRun, 'ps', '--all', '--quiet'];
  return (await attempt(list)).stdout;
}

test('streams and status are those of the command; what it changed is gone', async () => {
  const { root } = platform;
  const line = 'cat; echo error >&2; echo x >/etc/changed; exit 7';
  const input = 'x'.repeat(300_000);
  const { status, stdout, stderr } = await root.run([root.launcher, 'image', 'run', 'base', line], { input });
  assert.deepEqual([status, stdout === input, stderr], [7, true, 'error\n']);
  assert.equal(await root.ok('image', 'run', 'base', '--', 'printf', '%s|', 'a b', '$(id)'), 'a b|$(id)|');
  assert.equal((await root.walt('image', 'run', 'base', 'test', '-e', '/etc/changed')).status, 1);
});

test('a success is saved where asked, a failure is not, and another image is not replaced unasked', async () => {
  const { root } = platform;
  const write = (text: string) => `echo ${text} >/etc/greeting`;
  assert.equal(
    (await root.walt('image', 'run', 'base', '--save-as', 'bad', `${write('a')}; false`)).status,
    1,
  );
  assert.equal(await digestOf('bad'), undefined);

  const saved = await root.walt('image', 'run', 'base', '--save-as', 'greeting', write('hello'));
  assert.deepEqual([saved.status, saved.stdout], [0, '']);
  assert.match(saved.stderr, /root\/greeting is saved/);
  assert.equal(await root.ok('image', 'run', 'greeting', 'cat', '/etc/greeting'), 'hello\n');

  const greeting = await digestOf('greeting');
  const refused = await root.walt('image', 'run', 'base', '--save-as', 'greeting', write('b'));
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /greeting already.*--yes/s);
  assert.equal(await digestOf('greeting'), greeting);
  await root.ok('image', 'run', 'base', '--save-as', 'greeting', '--yes', write('b'));
  assert.notEqual(await digestOf('greeting'), greeting);
});

test('a name that somebody takes while the command runs stays his, and the result is kept', async () => {
  const { root } = platform;
  const line = 'echo on; cat; echo mine >/etc/greeting';
  const [file = '', ...args] = root.command('image', 'run', 'base', '--save-as', 'contested', line);
  const client = spawn(file, args, { env: { ...process.env, ...root.env }, stdio: ['pipe', 'pipe', 'pipe'] });
  const stderr = text(client.stderr);
  const ended = once(client, 'close');
  await once(client.stdout, 'data');
  await root.ok('image', 'duplicate', 'base', 'contested');
  client.stdin.end();
  const [status] = await ended;
  assert.equal(status, 1);
  const kept = /kept as root\/(contested-[0-9a-f]+)\./.exec(await stderr)?.[1] ?? '';
  assert.equal(await root.ok('image', 'run', kept, 'cat', '/etc/greeting'), 'mine\n');
  assert.equal(await digestOf('contested'), await digestOf('base'));
});

test('edits of files that are lent are told, and nothing hangs on an image that podman would hang on', async () => {
  const { root } = platform;
  const before = await containers();
  const line = 'echo 10.0.0.9 other >>/etc/hosts; rm /etc/passwd; mkfifo /etc/passwd';
  const saved = await root.walt('image', 'run', 'base', '--save-as', 'odd', line);
  assert.equal(saved.status, 0);
  assert.match(saved.stderr, /^Not saved: \/etc\/hosts: /m);
  for (const words of [
    ['run', 'odd', 'true'],
    ['shell', 'odd'],
  ]) {
    const { status, stderr } = await root.walt('image', ...words);
    assert.equal(status, 1);
    assert.match(stderr, /\/etc\/passwd/);
  }
  await root.walt('image', 'shell', 'odd', '--discard');
  assert.equal(await containers(), before);
});

test('bad input is named', async () => {
  const { root } = platform;
  const cases: [words: string[], message: RegExp][] = [
    [['nosuch', 'true'], /nosuch/],
    [['base', 'nosuch-program', 'x'], /no program "nosuch-program"/],
    [['base', '--save-as', '../x;id', 'true'], /lower-case/],
    [['base', '--save-as', 'default', 'true'], /reserved/],
    [['base', '--', '', 'x'], /program/],
    [['base', '--nosuch', 'true'], /--nosuch/],
  ];
  for (const [words, message] of cases) {
    const { status, stderr } = await root.walt('image', 'run', ...words);
    assert.notEqual(status, 0);
    assert.match(stderr, message);
  }
});

test('a client that is killed takes the command with it', async () => {
  const { root } = platform;
  const before = await containers();
  const [file = '', ...args] = root.command('image', 'run', 'base', '--', 'sh', '-c', 'echo on; sleep 1000');
  const client = spawn(file, args, {
    env: { ...process.env, ...root.env },
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  });
  await once(client.stdout, 'data');
  assert.notEqual(await containers(), before);
  process.kill(-(client.pid ?? 0), 'SIGKILL');
  await until('the container is removed', async () => (await containers()) === before);
});
