import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ImageRoot } from './image-root.ts';

let folder: string;
let root: ImageRoot;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-image-root-'));
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
  root = await ImageRoot.open(image);
});
after(() => rm(folder, { recursive: true }));

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
      assert.equal(await root.read(path), content);
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
  ];
  for (const [path, place] of rows) {
    test(`of ${path} is ${place}`, async () => assert.equal(await root.place(path), place));
  }
});
