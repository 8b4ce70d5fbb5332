import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { withTree } from '../../trees/index.ts';
import type { ImageConfig } from './image-command.ts';
import { lentFiles } from './lent-files.ts';

const config: ImageConfig = {
  ...{ entrypoint: ['/app'], cmd: [], env: [], workdir: '/srv/data', user: '', labels: {} },
};

let image: string;

beforeEach(async () => {
  image = await mkdtemp(join(tmpdir(), 'walt-lent-'));
});
afterEach(() => rm(image, { recursive: true }));

async function lent(lends: Parameters<typeof lentFiles>[1]) {
  const files = await withTree(image, (tree) => lentFiles(tree, lends, config));
  return new Map(files.map((file) => [file.path, file]));
}

test('an empty image gets accounts, a shell, folders, module programs and its command', async () => {
  const files = await lent(['kernel', 'init', 'ssh', 'shell']);
  assert.deepEqual([...files.keys()].sort(), [
    ...['bin/sh', 'dev', 'etc/inittab', 'etc/passwd', 'etc/walt/command', 'proc', 'root', 'run'],
    ...['sbin/lsmod', 'sbin/modprobe', 'sbin/rmmod', 'srv/data', 'sys', 'tmp'],
  ]);
  assert.deepEqual(files.get('bin/sh'), {
    type: 'link',
    path: 'bin/sh',
    target: '/usr/lib/walt/bin/busybox',
  });
  assert.deepEqual(files.get('tmp'), { type: 'folder', path: 'tmp', mode: 0o1777 });
  const command = files.get('etc/walt/command');
  assert.equal(command?.type === 'file' && command.mode, 0o600);
  assert.match(command?.type === 'file' ? command.content : '', /\0--chdir=\/srv\/data\0.*\0\/app\0$/);
});

test('root’s home, wherever an image says it is, and the folder of its command, are below the root', async () => {
  const up = '../'.repeat(40);
  await mkdir(join(image, 'etc'));
  await writeFile(join(image, 'etc/passwd'), `root:x:0:0:root:/a/${up}tmp/x:/bin/sh\n`);
  const climbing = { ...config, workdir: `/b/${up}srv/y` };
  const files = await withTree(image, (tree) => lentFiles(tree, ['init'], climbing));
  const folders = files.flatMap((file) => (file.type === 'folder' ? [[file.path, file.mode]] : []));
  assert.ok(folders.some(([path, mode]) => path === 'tmp/x' && mode === 0o700));
  assert.ok(folders.some(([path, mode]) => path === 'srv/y' && mode === 0o755));
  assert.ok(folders.every(([path]) => !String(path).split('/').includes('..')));
});

test('what is lent keeps to the links of the image, and hides nothing that is there', async () => {
  for (const folder of [
    'usr/bin',
    'usr/sbin',
    'dev',
    'proc',
    'sys',
    'run',
    'tmp',
    'root',
    'srv/data',
    'etc',
  ]) {
    await mkdir(join(image, folder), { recursive: true });
  }
  await symlink('usr/bin', join(image, 'bin'));
  await symlink('/usr/sbin', join(image, 'sbin'));
  await writeFile(join(image, 'usr/sbin/modprobe'), '');
  await writeFile(join(image, 'etc/shadow'), 'root:!:1::::::\n');
  const files = await lent(['kernel', 'init', 'ssh', 'shell']);
  assert.deepEqual([...files.keys()].sort(), [
    ...['etc/inittab', 'etc/passwd', 'etc/shadow', 'etc/walt/command'],
    ...['usr/bin/sh', 'usr/sbin/lsmod', 'usr/sbin/rmmod'],
  ]);
});

test('an image that lacks a kernel only gets nothing else', async () => {
  for (const folder of ['sbin', 'dev', 'proc', 'sys', 'run', 'tmp', 'root']) await mkdir(join(image, folder));
  for (const name of ['modprobe', 'lsmod', 'rmmod']) await writeFile(join(image, 'sbin', name), '');
  assert.deepEqual([...(await lent(['kernel'])).keys()], []);
});
