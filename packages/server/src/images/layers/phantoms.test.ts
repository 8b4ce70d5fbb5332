/** Deletions of what is not there: images as kaniko and others make them, from a registry to what a container sees. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  type LayerEntry,
  type LyingRegistry,
  startLyingRegistry,
  tarOf,
} from '../../../test/lying-registry.ts';
import {
  destroyPlatform,
  openPlatform,
  type Platform,
  result,
  temporaryFolder,
} from '../../../test/platform.ts';
import { clone, configured } from '../../../test/registry.ts';
import { run } from '../../platform/index.ts';
import { Store } from '../store/index.ts';
import type { ImageRecord } from '../types.ts';
import { volumeName } from './volumes.ts';

let liar: LyingRegistry;
let platform: Platform;
let store: Store;

before(async () => {
  liar = await startLyingRegistry([]);
  const registries = [configured('liar', liar.host, { protocol: 'http' })];
  platform = await openPlatform(await temporaryFolder(), { registries });
  store = await Store.open(platform.paths, (argv) => [...argv]);
});
after(async () => {
  await destroyPlatform(platform);
  await liar[Symbol.asyncDispose]();
});

const folder = (name: string): LayerEntry => ({
  name: `${name}/`,
  type: 'directory',
  mode: 0o750,
  uid: 5,
  gid: 6,
});
const file = (name: string, text = 'x'): LayerEntry => ({ name, text });
const deletion = (name: string): LayerEntry => file(name, '');
const device = (name: string): LayerEntry => ({ name, type: 'character-device', devmajor: 0, devminor: 0 });

const bottom = [folder('etc'), file('etc/kept'), file('etc/gone')];

/** Layers, all that an image of them has by OCI image-spec layer.md, and whether there is something to hide. */
const cases: [what: string, layers: LayerEntry[][], tree: string[], cleaned: boolean][] = [
  ['deletes what is there', [bottom, [deletion('etc/.wh.gone')]], ['etc', 'etc/kept'], false],
  [
    'deletes what never was, in a folder of its own',
    [bottom, [folder('new'), deletion('new/.wh.x'), file('new/file')]],
    ['etc', 'etc/gone', 'etc/kept', 'new', 'new/file'],
    true,
  ],
  ['deletes in the bottom layer', [[folder('d'), deletion('d/.wh.x'), folder('d/e')]], ['d', 'd/e'], true],
  [
    'deletes in a folder that it has cleared',
    [bottom, [folder('etc'), deletion('etc/.wh..wh..opq'), deletion('etc/.wh.gone'), file('etc/b')]],
    ['etc', 'etc/b'],
    true,
  ],
  [
    'deletes in deep folders, and folders',
    [
      [file('x')],
      [folder('a'), folder('a/b'), folder('a/b/c'), deletion('a/b/c/.wh.d'), deletion('a/.wh.q')],
    ],
    ['a', 'a/b', 'a/b/c', 'x'],
    true,
  ],
  [
    'has a device that means a deletion',
    [bottom, [folder('new'), device('new/x')]],
    [...['etc', 'etc/gone', 'etc/kept', 'new']],
    true,
  ],
  [
    'deletes what a layer above brings back',
    [
      [folder('d'), deletion('d/.wh.x')],
      [folder('d'), file('d/x')],
    ],
    ['d', 'd/x'],
    false,
  ],
  [
    'replaces what it deletes',
    [bottom, [folder('etc'), deletion('etc/.wh.gone'), file('etc/gone', 'new')]],
    [...['etc', 'etc/gone', 'etc/kept']],
    false,
  ],
  [
    'deletes names that are no text',
    [[file('x')], [folder('n'), deletion('n/.wh.a b\n"c'), deletion('n/.wh.\u00e9'), file('n/y')]],
    ['n', 'n/y', 'x'],
    true,
  ],
];

describe('an image that', () => {
  for (const [at, [what, layers, tree, cleaned]] of cases.entries()) {
    test(`${what} shows what it has, in containers and on nodes`, async () => {
      const name = `case${at}`;
      const digest = liar.add(name, { tars: await Promise.all(layers.map(tarOf)) });
      const { image } = await clone(platform, `liar:exp:${name}`, name);
      assert.equal(image.digest !== digest, cleaned);
      assert.equal(image.layers.length, layers.length + (cleaned ? 1 : 0));
      assert.deepEqual(await store.withMounted(image.digest, listed), tree);
      assert.deepEqual(await onNode(image), tree);
      // The same image again is the same here.
      const again = await clone(platform, `liar:exp:${name}`, name, { force: true });
      assert.equal(again.image.digest, image.digest);
    });
  }

  test('was cleaned has its folders as they were', async () => {
    const image = await platform.images.get('ann', 'case1');
    const facts = await store.withMounted(image.digest, (root) =>
      run(['stat', '--format', '%a %u %g %Y', join(root, 'new'), join(root, 'etc')]),
    );
    assert.equal(facts, '750 5 6 0\n750 5 6 0\n');
  });

  test('deletes what another image has does so still, when one without it came first', async () => {
    const layer = [folder('s'), deletion('s/.wh.x'), file('s/y')];
    liar.add('without', { tars: await Promise.all([[file('z')], layer].map(tarOf)) });
    liar.add('with', { tars: await Promise.all([[folder('s'), file('s/x')], layer].map(tarOf)) });
    await clone(platform, 'liar:exp:without', 'without');
    const { image } = await clone(platform, 'liar:exp:with', 'with');
    assert.deepEqual(await onNode(image), ['s', 's/y']);
    assert.deepEqual(await store.withMounted(image.digest, listed), ['s', 's/y']);
  });

  test('was cleaned can be compared and squashed', async () => {
    const image = await platform.images.get('ann', 'case3');
    const other = await platform.images.get('ann', 'case0');
    const options = { user: 'ann', paths: [], contents: false };
    const changes = await result(platform.images.history.diff(other, image, options));
    assert.deepEqual(
      changes.map(({ kind, path }) => `${kind} ${path}`),
      ['M /etc', 'A /etc/b', 'D /etc/kept'],
    );
    const { signal } = new AbortController();
    const target = { owner: 'ann', name: 'squashed' };
    const { image: squashed } = await result(platform.images.squash('ann', image, target, 'absent', signal));
    assert.equal(squashed.layers.length, 1);
    assert.deepEqual(await onNode(squashed), ['etc', 'etc/b']);
  });
});

test('an image that came before they were hidden can be compared and squashed, too', async () => {
  const { images, database } = platform;
  const layers = [[folder('o')], [folder('old'), deletion('old/.wh.x'), file('old/y')]];
  const digest = liar.add('old', { tars: await Promise.all(layers.map(tarOf)) });
  const { image } = await clone(platform, 'liar:exp:old', 'old');
  // As an older server noted it: the image as it is in the registry.
  const record = { ...image, digest, layers: image.layers.slice(0, 2) };
  const row = { digest, layers: JSON.stringify(record.layers) };
  const known = await database
    .selectFrom('image_digest')
    .selectAll()
    .where('digest', '=', image.digest)
    .executeTakeFirstOrThrow();
  await database
    .insertInto('image_digest')
    .values({ ...known, ...row })
    .execute();
  const options = { user: 'ann', paths: [], contents: false };
  const changes = await result(images.history.diff(record, image, options));
  assert.deepEqual(changes, []);
  const target = { owner: 'ann', name: 'old-squashed' };
  const { signal } = new AbortController();
  const { image: squashed } = await result(images.squash('ann', record, target, 'absent', signal));
  assert.deepEqual(await onNode(squashed), ['o', 'old', 'old/y']);
});

/** Names of all that is below, sorted; fails for what cannot be read. */
async function listed(root: string): Promise<string[]> {
  await run(['find', root, '-exec', 'stat', '--format=%n', '{}', '+']);
  return (await run(['find', root, '-mindepth', '1', '-printf', '%P\\0'])).split('\0').slice(0, -1).sort();
}

/** What a node sees: volumes, one over the other, below an empty folder. */
async function onNode({ layers }: ImageRecord): Promise<string[]> {
  const place = await temporaryFolder();
  const mounts: string[] = [];
  try {
    for (const [at, diffId] of layers.entries()) {
      const point = join(place, String(at));
      await mkdir(point);
      await run([
        'mount',
        '-t',
        'erofs',
        '-o',
        'ro,loop',
        join(platform.paths.volumes, volumeName(diffId)),
        point,
      ]);
      mounts.unshift(point);
    }
    const [empty, tree] = [join(place, 'empty'), join(place, 'tree')];
    for (const made of [empty, tree]) await mkdir(made);
    await run(['mount', '-t', 'overlay', '-o', `lowerdir=${[empty, ...mounts].join(':')}`, 'none', tree]);
    mounts.unshift(tree);
    return await listed(tree);
  } finally {
    for (const point of mounts) execFileSync('umount', [point]);
    await rm(place, { recursive: true });
  }
}
