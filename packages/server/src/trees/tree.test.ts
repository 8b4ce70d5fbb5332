import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { run } from '../platform/index.ts';
import { Tree, withTree } from './tree.ts';

let folder: string;
let tree: Tree;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-tree-'));
  await writeFile(join(folder, 'secret'), 'of the server');
  const image = join(folder, 'image');
  await mkdir(join(image, 'usr/lib/modules'), { recursive: true });
  await mkdir(join(image, 'boot'));
  await writeFile(join(image, 'usr/lib/modules/list'), 'modules');
  await writeFile(join(image, 'secret'), 'of the image');
  const links: [string, string][] = [
    ['lib', 'usr/lib'],
    ['absolute', '/usr/lib/modules'],
    ['boot/kernel', '/lib/modules/list'],
    ['boot/up', '../lib/modules/list'],
    ['escape', '../../../../../secret'],
    ['escape-folder', '..'],
    ['server-secret', join(folder, 'secret')],
    ['loop', 'loop'],
    ['gone', 'nowhere'],
  ];
  for (const [path, target] of links) await symlink(target, join(image, path));
  tree = await Tree.open(image);
});
after(async () => {
  await tree[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

describe('a path in an image', () => {
  const rows: [path: string, content: string | undefined][] = [
    ['/usr/lib/modules/list', 'modules'],
    ['lib/modules/list', 'modules'],
    ['/absolute/list', 'modules'],
    ['/boot/kernel', 'modules'],
    ['/boot/up', 'modules'],
    ['/../../lib/./modules//list', 'modules'],
    // What points out of the image ends at its own root, as it would on a node.
    ['/escape', 'of the image'],
    ['/escape-folder/secret', 'of the image'],
    ['/server-secret', undefined],
    ['/loop', undefined],
    ['/gone', undefined],
    ['/usr/lib/modules/list/below', undefined],
    // A folder is no file.
    ['/boot', undefined],
  ];
  for (const [path, content] of rows) {
    test(`${path} is ${content === undefined ? 'nothing' : `"${content}"`}`, async () => {
      assert.equal(await tree.readText(path, 1000), content);
    });
  }
});

describe('the place of a new file in an image', () => {
  const rows: [path: string, place: string][] = [
    ['/etc/passwd', 'etc/passwd'],
    ['/lib/new', 'usr/lib/new'],
    ['/absolute/new', 'usr/lib/modules/new'],
    ['/new/folder/file', 'new/folder/file'],
    ['/lib/new/file', 'usr/lib/new/file'],
    // A link that leads nowhere is replaced by what the platform lends.
    ['/gone', 'gone'],
    // Root's home in an image's /etc/passwd, as an attack: what is above the root is the root.
    [`/a/${'../'.repeat(30)}tmp/x`, 'tmp/x'],
    [`/a/b/../../${'../'.repeat(30)}lib/x`, 'usr/lib/x'],
    ['/../../x', 'x'],
    ['/escape-folder/x', 'x'],
    ['/loop/x', 'loop/x'],
    ['/', ''],
    ['/..', ''],
  ];
  for (const [path, place] of rows) {
    test(`of ${path.slice(0, 40)} is ${place}`, async () => assert.equal(await tree.placeFor(path), place));
  }
});

describe('no file can be put', () => {
  for (const path of ['/a\0b', `/${'n'.repeat(256)}`, '/x'.repeat(2049)]) {
    test(`at ${JSON.stringify(path.slice(0, 20))}`, async () => {
      assert.equal(await tree.placeFor(path), undefined);
      assert.equal(await tree.find(path), undefined);
    });
  }
});

describe('where something would be put', () => {
  test('a free name in a folder, and a link to nowhere, are places', async () => {
    assert.deepEqual(await tree.target('/lib/new'), { path: 'usr/lib/new' });
    assert.equal((await tree.target('/gone'))?.path, 'gone');
    assert.equal(await tree.target('/nowhere/new'), undefined);
  });
  test('links in a circle are told', async () => {
    await assert.rejects(tree.target('/loop/x'), { code: 'INVALID', message: /\/loop\/x/ });
  });
});

test('a file is read up to a bound, and named when it has more', async () => {
  assert.equal((await tree.read('/secret', 12))?.length, 12);
  await assert.rejects(tree.read('/secret', 11), { code: 'INVALID', message: /^\/secret of the image/ });
});

test('what is no regular file is not opened: a FIFO has no reader, a device none', async () => {
  const image = join(folder, 'image');
  await run(['mkfifo', join(image, 'fifo')]);
  await run(['mknod', join(image, 'zero'), 'c', '1', '5']);
  await run([
    'socat',
    '-u',
    'OPEN:/dev/null',
    `UNIX-LISTEN:${join(image, 'socket')},unlink-close=0,accept-timeout=0.01`,
  ]);
  for (const name of ['fifo', 'zero', 'socket', 'boot']) {
    assert.equal(await tree.read(name, 1000), undefined, name);
    assert.equal(await tree.open(name), undefined, name);
    assert.notEqual(await tree.stat(name), undefined, name);
  }
});

test('many files cost no open file each', async () => {
  const image = join(folder, 'image');
  for (let i = 0; i < 300; i += 1) {
    await mkdir(join(image, 'many', String(i)), { recursive: true });
    await writeFile(join(image, 'many', String(i), 'file'), String(i));
  }
  const before = (await readdir('/proc/self/fd')).length;
  await withTree(image, async (many) => {
    for (let i = 0; i < 300; i += 1) assert.equal(await many.readText(`many/${i}/file`, 10), String(i));
    assert.ok((await readdir('/proc/self/fd')).length < before + 150);
  });
  assert.equal((await readdir('/proc/self/fd')).length, before);
});
