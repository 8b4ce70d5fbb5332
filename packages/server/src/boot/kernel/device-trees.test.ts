import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { withTree } from '../../trees/index.ts';
import { DEVICE_TREES, DeviceTrees, findDeviceTrees, packDeviceTrees } from './device-trees.ts';

const kernel = { release: '6.1', modules: '/lib/modules/6.1' };

/** An image's device trees, as its boot folder has them. */
async function take(
  files: Record<string, string>,
  use: (trees: DeviceTrees) => Promise<void>,
  links: Record<string, string> = {},
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'walt-device-trees-'));
  try {
    const image = join(folder, 'image');
    await mkdir(image);
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(image, path)), { recursive: true });
      await writeFile(join(image, path), content);
    }
    for (const [path, target] of Object.entries(links)) await symlink(target, join(image, path));
    const packed = await withTree(image, async (tree) =>
      packDeviceTrees(tree, await findDeviceTrees(tree, kernel)),
    );
    await writeFile(join(folder, DEVICE_TREES), packed);
    await use(await DeviceTrees.open(folder));
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('device trees are found where', () => {
  const rows: [who: string, folder: string][] = [
    ['Debian', 'usr/lib/linux-image-6.1/broadcom'],
    ['Debian for 32 bits', 'usr/lib/linux-image-6.1'],
    ['Fedora', 'lib/modules/6.1/dtb/broadcom'],
    ['Ubuntu', 'lib/firmware/6.1/device-tree/broadcom'],
    ['Arch', 'boot/dtbs/6.1/broadcom'],
    ['openSUSE', 'boot/dtb-6.1/broadcom'],
  ];
  for (const [who, folder] of rows) {
    test(`${who} has them`, () =>
      take(
        { [`${folder}/a.dtb`]: 'A', [`${folder}/b.dtb`]: 'BB', [`${folder}/c.dtbo`]: 'C' },
        async (trees) => {
          assert.equal(trees.names.length, 2);
          assert.equal((await trees.read(trees.find(['b.dtb']) ?? ''))?.toString(), 'BB');
          assert.equal(trees.find(['c.dtbo']), undefined);
        },
      ));
  }
});

test('the first of several names is taken, and a file wherever its folder is', () =>
  take(
    { 'usr/lib/linux-image-6.1/x/one.dtb': '1', 'usr/lib/linux-image-6.1/two.dtb': '2' },
    async (trees) => {
      assert.equal(trees.find(['none.dtb', 'two.dtb', 'one.dtb']), 'two.dtb');
      assert.equal(trees.find(['broadcom/one.dtb']), 'x/one.dtb');
      assert.equal(trees.find(['broadcom/none.dtb']), undefined);
    },
  ));

test('no name leads out of them', () =>
  take(
    { 'usr/lib/linux-image-6.1/one.dtb': '1', 'etc/shadow': 'secret' },
    async (trees) => {
      assert.deepEqual(trees.names, ['linked.dtb', 'one.dtb']);
      for (const name of ['../one.dtb', '/etc/shadow', 'constructor', '__proto__', '', 'one.dtb/']) {
        assert.equal(await trees.read(name), undefined, name);
      }
      assert.equal((await trees.read('linked.dtb'))?.toString(), 'secret', 'of the image, not of the server');
    },
    {
      'usr/lib/linux-image-6.1/linked.dtb': '/etc/shadow',
      'usr/lib/linux-image-6.1/-odd name.dtb': 'one.dtb',
      'usr/lib/linux-image-6.1/..dtb': 'one.dtb',
    },
  ));

test('an image without them has none', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-device-trees-'));
  try {
    const trees = await DeviceTrees.open(folder);
    assert.deepEqual(
      [trees.names, trees.find(['a.dtb']), await trees.read('a.dtb')],
      [[], undefined, undefined],
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});
