import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { isUserError } from '../../platform/index.ts';
import { Tree } from '../../trees/index.ts';
import { absoluteLinks, hasLibrary, makeFolders, removeEmpty } from './sysroot.ts';

let root: string;
let tree: Tree;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'walt-sysroot-'));
  for (const file of [
    'usr/include/stdio.h',
    'usr/lib/arm/crt1.o',
    'usr/lib/arm/libm.so.6',
    'usr/local/bin/tool',
  ]) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), '');
  }
  await mkdir(join(root, 'etc/alternatives'), { recursive: true });
  const links: [path: string, target: string][] = [
    ['lib', 'usr/lib'],
    ['usr/lib/arm/libm.so', '/lib/arm/libm.so.6'],
    ['usr/lib/arm/libb.so', '/etc/alternatives/b'],
    ['etc/alternatives/b', '../../usr/lib/arm/libm.so.6'],
    ['usr/lib/arm/libr.so', 'libm.so.6'],
    ['usr/lib/arm/gone.so', '/lib/arm/gone.so.1'],
    ['up', '../../../../../../../../etc'],
    ['loop', '/loop'],
    ['opt', '/etc'],
  ];
  for (const [path, target] of links) await symlink(target, join(root, path));
  tree = await Tree.open(root);
});
afterEach(async () => {
  await tree[Symbol.asyncDispose]();
  await rm(root, { recursive: true });
});

test('a folder for the installation is made, but not where a link leads elsewhere', async () => {
  assert.deepEqual(await makeFolders(tree, '/usr/local'), []);
  const made = await makeFolders(tree, '/srv/a/b');
  assert.deepEqual(made, ['/srv/a/b', '/srv/a', '/srv']);
  await writeFile(join(root, 'srv/file'), '');
  await removeEmpty(tree, made);
  assert.deepEqual(await readdir(join(root, 'srv')), ['file']);
  for (const path of ['/opt/tool', '/up', '/usr/local/bin/tool/x']) {
    await assert.rejects(makeFolders(tree, path), (error) => isUserError(error) && error.code === 'INVALID');
  }
});

test("Debian's absolute links to libraries are found, with what they mean in the image", async () => {
  assert.deepEqual(Object.fromEntries(await absoluteLinks(tree, 'arm')), {
    '/usr/lib/arm/libm.so': '/usr/lib/arm/libm.so.6',
    '/usr/lib/arm/libb.so': '/usr/lib/arm/libm.so.6',
    '/lib/arm/libm.so': '/usr/lib/arm/libm.so.6',
    '/lib/arm/libb.so': '/usr/lib/arm/libm.so.6',
  });
});

test('an image has a C library to build with, or not', async () => {
  assert.equal(await hasLibrary(tree, 'arm'), true);
  assert.equal(await hasLibrary(tree, 'other'), false);
});
