import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { usePlatform } from '../../../test/platform.ts';
import { isExternalError } from '../../platform/index.ts';
import { Store } from './store.ts';

const mounts = async (folder: string) =>
  (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').filter((line) => line.includes(folder));

test('the tree of an image is there while it is read, cannot be changed, and keeps the image', async () => {
  const {
    platform,
    tiny: { digest },
  } = await usePlatform();
  const store = await Store.open(platform.paths, (argv) => [...argv]);
  const mounted = join(platform.paths.containersRun, 'trees');
  await store.withMounted(digest, async (root) => {
    const [mount = ''] = await mounts(root);
    for (const option of ['ro', 'nosuid', 'nodev', 'noexec'])
      assert.match(mount, new RegExp(`[ ,]${option}[ ,]`));
    await assert.rejects(writeFile(join(root, 'new'), ''), { code: 'EROFS' });
    await store.withMounted(digest, async (again) => assert.notEqual(again, root));
    assert.equal(await store.removeImage(digest), false, 'somebody reads it');
  });
  await assert.rejects(
    store.withMounted(digest, () => Promise.reject(new RangeError('of the reader'))),
    RangeError,
  );
  assert.deepEqual(await mounts(mounted), []);
  assert.equal(await store.removeImage(digest), true);
  await assert.rejects(
    store.withMounted(digest, async () => {}),
    (error) => isExternalError(error) && error.message.includes(digest),
  );
});

test('what a server that was killed left mounted is unmounted', async () => {
  const {
    platform,
    tiny: { digest },
  } = await usePlatform();
  const killed = await Store.open(platform.paths, (argv) => [...argv]);
  const mounted = join(platform.paths.containersRun, 'trees');
  const { promise, resolve } = Promise.withResolvers<void>();
  const { promise: there, resolve: arrived } = Promise.withResolvers<void>();
  const reading = killed.withMounted(digest, () => {
    arrived();
    return promise;
  });
  await there;
  assert.equal((await mounts(mounted)).length, 1);
  await (await Store.open(platform.paths, (argv) => [...argv])).unmountAll();
  assert.deepEqual(await mounts(mounted), []);
  resolve();
  await assert.rejects(reading, { code: 'ENOENT' });
});
