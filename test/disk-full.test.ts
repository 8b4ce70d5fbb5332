/** The disk is full: that is said, with who uses it; what there is stays; and the platform's own reserve lets all go on. */
import assert from 'node:assert/strict';
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Image } from '@walt/contract';
import { run } from '../packages/server/src/platform/index.ts';
import { DEFAULT_IMAGE, Platform } from './platform.ts';

let platform: Platform;

before(async () => {
  platform = await Platform.start({ stateSize: '2g' });
  await platform.root.ok('image', 'duplicate', `waltplatform/${DEFAULT_IMAGE}`, 'work');
});
after(() => platform?.close());

/** Takes all space of the state's disk but for some bytes, until it is disposed of. */
async function fillDisk(leave: number): Promise<AsyncDisposable> {
  const { bavail, bsize } = await statfs(platform.config.state);
  const filler = join(platform.config.state, 'filler');
  await run(['fallocate', '--length', String(bavail * bsize - leave), '--', filler]);
  return { [Symbol.asyncDispose]: () => rm(filler) };
}

async function work(): Promise<Image | undefined> {
  return (await platform.root.json<Image[]>('image', 'show')).find(({ name }) => name === 'work');
}

test('a save on a full disk fails with words, and succeeds once there is room', async () => {
  const { root } = platform;
  const before = await work();
  const { status } = await root.run(root.command('image', 'shell', 'work'), {
    input: 'head -c 50000000 /dev/urandom >/root/large; echo kept >/root/kept\nexit\n',
  });
  assert.equal(status, 1, 'the change waits');
  await using stack = new AsyncDisposableStack();
  stack.use(await fillDisk(20_000_000));

  const save = await root.walt('image', 'shell', 'work', '--save');
  assert.equal(save.status, 1);
  assert.match(save.stderr, /disk is full/);
  assert.match(save.stderr, /→ .*room/);
  assert.match(save.stderr, /waits/, 'and says that nothing is lost');
  assert.doesNotMatch(save.stderr, /BUG|bug in walt/);
  const during = await work();
  assert.equal(during?.digest, before?.digest);
  assert.equal(during?.session, true);
  const { bavail, bsize } = await statfs(platform.config.state);
  assert.ok(bavail * bsize > 15_000_000, 'what was written for it is gone again');

  await stack.disposeAsync();
  await root.ok('image', 'shell', 'work', '--save');
  const after = await work();
  assert.notEqual(after?.digest, before?.digest);
  assert.equal(after?.session, false);
  const file = join(platform.folder, 'kept');
  await root.ok('image', 'cp', 'work:/root/kept', file);
});

test('a copy into an image on a full disk fails with words', async () => {
  const { root } = platform;
  const before = await work();
  const file = join(platform.folder, 'large');
  await run(['sh', '-c', 'head -c 50000000 /dev/urandom >"$1"', 'sh', file]);
  await using stack = new AsyncDisposableStack();
  stack.use(await fillDisk(20_000_000));
  const copy = await root.walt('image', 'cp', file, 'work:/root/copied');
  assert.equal(copy.status, 1);
  assert.match(copy.stderr, /disk is full.*The image is as it was.*Who has most of it: root: .*image work/);
  assert.match(copy.stderr, /→ .*walt advanced disk-usage/);
  assert.deepEqual(await work(), before);
  await stack.disposeAsync();
  await root.ok('image', 'cp', file, 'work:/root/copied');
});

test('a build on a full disk fails with words, leaves nothing of it, and succeeds once there is room', async () => {
  const { root } = platform;
  const before = await work();
  const sources = join(root.home, 'sources');
  await mkdir(sources);
  await run(['dd', 'if=/dev/urandom', `of=${sources}/data`, 'bs=1M', 'count=40', 'status=none']);
  await writeFile(join(sources, 'Dockerfile'), 'FROM work\nCOPY data /data\n');
  const build = () => root.walt('image', 'build', 'work', '--from-dir', sources, '--yes');
  // Room for the folder on its way, or for the folder and not for the layer.
  for (const room of [10_000_000, 60_000_000]) {
    await using _ = await fillDisk(room);
    const { status, stderr } = await build();
    assert.equal(status, 1);
    assert.match(stderr, /disk is full.*No image was changed/);
    assert.equal((await work())?.digest, before?.digest);
  }
  const { status, stderr } = await build();
  assert.equal(status, 0, stderr);
});

test('what was worked for is saved from the reserve, of which nothing is begun', async () => {
  const { root } = platform;
  const before = await work();
  await root.run(root.command('image', 'shell', 'work'), {
    input: 'head -c 3000000 /dev/urandom >/root/more\nexit\n',
  });
  // Less than the reserve, which is 2 % of 2 GB.
  await using _ = await fillDisk(35_000_000);
  for (const refused of [
    ['image', 'run', 'work', '--', 'true'],
    ['image', 'shell', `waltplatform/${DEFAULT_IMAGE}`],
    ['image', 'cross', 'work', '--', 'true'],
  ]) {
    const { status, stderr } = await root.walt(...refused);
    assert.equal(status === 0, false, refused.join(' '));
    assert.match(stderr, /disk is full.*Nothing was begun.*Who has most of it: root: /, refused.join(' '));
  }
  await root.ok('image', 'shell', 'work', '--save');
  assert.notEqual((await work())?.digest, before?.digest);
});

test('with nothing left at all, names move, images are removed, and nodes are known', async () => {
  const { root } = platform;
  {
    await using _ = await fillDisk(0);
    await root.ok('image', 'duplicate', 'work', 'copy');
    await root.ok('image', 'rename', 'copy', 'renamed');
    await root.ok('image', 'remove', 'renamed', '--yes');
    await root.ok('log', 'add-checkpoint', 'full');
    assert.match(await root.ok('advanced', 'disk-usage'), /^ +image work /m);
  }
  assert.equal((await root.json<Image[]>('image', 'show')).filter(({ name }) => name === 'work').length, 1);
});
