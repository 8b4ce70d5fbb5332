import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { Progress } from '@walt/contract';
import {
  addTiny,
  closePlatform,
  reopenPlatform,
  result,
  tinyRoot,
  usePlatform,
} from '../../../test/platform.ts';
import { attempt, run } from '../../platform/index.ts';
import type { Expected } from '../catalogue/index.ts';
import { volumeName } from '../layers/index.ts';
import { Store } from '../store/index.ts';
import type { ImageRecord } from '../types.ts';

const { platform } = await usePlatform();
const store = await Store.open(platform.paths, (argv) => [...argv]);

const CHANGES = [
  'ENTRYPOINT ["/bin/sh", "-c"]',
  'CMD ["echo hello"]',
  'ENV COLOUR=green',
  'LABEL walt.node.models=pc-x86-64',
  'USER 7:9',
  'WORKDIR /home/ann',
  'EXPOSE 80',
];

/** Files of every kind, with all that a file may have. */
const FILES = `
  mkdir -p a/gone a/kept "a/two words"; echo secret >a/gone/secret; echo 1 >a/file; ln a/file a/hard
  ln -s /etc/passwd a/link; mknod a/null c 1 3; mkfifo a/fifo; mkdir a/hidden; echo 1 >a/hidden/below
  printf x >"a/$(printf 'bad\\377name')"; head -c 3000000 /dev/zero >a/zeros; truncate -s 5M a/sparse
  chown 300000000:400000000 a/file; chown -h 5:6 a/link; chmod 4751 a/kept; chmod 1777 "a/two words"
  setfattr -n user.binary -v 0x00ff0a3d a/file; setfattr -n trusted.note -v kept a/file
  setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 a/zeros
  setfattr -n system.posix_acl_access -v \
    0x0200000001000600ffffffff020004000500000004000400ffffffff10000400ffffffff20000400ffffffff a/zeros
  touch -h -d '2001-02-03 04:05:06.123456789' a/file a/link a/kept a/null
`;

/** An image of two layers; the upper one deletes, replaces and hides what the lower one has. */
async function twoLayers(name: string): Promise<ImageRecord> {
  const { folder, images } = platform;
  const root = join(folder, 'root');
  await run(['mkdir', root]);
  await run(['tar', '-xf', await tinyRoot(folder), '-C', root]);
  await run(['sh', '-ec', FILES], { cwd: root });
  const tar = join(folder, 'full.tar');
  await run(['tar', '--format=pax', '--xattrs', '--xattrs-include=*', '-C', root, '-cf', tar, '.']);
  await run(['rm', '-rf', root]);
  const source = { tar, architecture: 'amd64' as const, changes: CHANGES };
  const image = await result(images.importTar('ann', source, { owner: 'ann', name }, false));
  const command = await images.run('ann', image, [
    ...['/bin/sh', '-ec'],
    'rm -r /a/gone /a/hidden; mkdir /a/hidden; echo 2 >/a/hidden/above; echo 2 >/etc/greeting',
  ]);
  command.stdin.end();
  command.stderr.resume();
  assert.equal(await command.exited, 0);
  const saved = await command.save({ owner: 'ann', name }, 'any');
  await command.end();
  return saved.image;
}

const exec = promisify(execFile);

/** All that can be told of an image's files, byte by byte. */
function listing(image: ImageRecord): Promise<string> {
  return store.withMounted(image.digest, async (root) => {
    const tell = `
      find . -printf '%P %y %m %U %G %l' ! -type d -printf ' %n %T@ %s' , -printf '\\n' | sort
      find . -exec stat -c '%n %t %T' {} + | sort
      find . -type f -exec sha256sum {} + | sort
      getfattr -Rhdm - -e hex . | grep -v trusted.overlay`;
    const { stdout } = await exec('sh', ['-c', tell], { cwd: root, encoding: 'latin1', maxBuffer: 1e8 });
    return stdout;
  });
}

const squash = (
  image: ImageRecord,
  name: string,
  expected: Expected = name === image.name ? { digest: image.digest } : 'absent',
  signal = new AbortController().signal,
) => platform.images.squash('ann', image, { owner: 'ann', name }, expected, signal);

test('one layer comes of several, with the same files and the same configuration', async () => {
  const image = await twoLayers('two');
  assert.equal(image.layers.length, 2);
  const steps: string[] = [];
  const squashing = squash(image, 'two');
  let next = await squashing.next();
  for (; !next.done; next = await squashing.next()) steps.push((next.value as Progress).step);
  const squashed = next.value.image;
  assert.equal(next.value.changed, true);
  assert.equal(squashed.layers.length, 1);
  assert.deepEqual(await platform.images.get('ann', 'two'), squashed);
  for (const step of ['Reading the image', 'Saving the change as a new layer', 'Making the boot files']) {
    assert.ok(steps.includes(step), `${step} in ${steps.join(', ')}`);
  }

  assert.equal(await listing(squashed), await listing(image));
  assert.match(await listing(squashed), /a\/file f .*981173106\.1234567890/);
  const { config } = await store.inspect(squashed.digest);
  assert.deepEqual(config, (await store.inspect(image.digest)).config);
  assert.deepEqual([config.user, config.workdir, config.entrypoint], ['7:9', '/home/ann', ['/bin/sh', '-c']]);
  const { configuration } = await store.origin(squashed.digest);
  const told = JSON.parse(configuration) as { history: unknown[]; config: Record<string, unknown> };
  assert.equal(told.history.length, 1);
  assert.deepEqual(told.config.ExposedPorts, { '80/tcp': {} });

  // Neither in the layer nor in the volume that nodes mount.
  const layer = (await store.layers()).get(squashed.layers[0] ?? '');
  assert.ok(layer);
  await assert.rejects(run(['grep', '-rqs', 'secret', join(layer.folder, 'a')]));
  assert.equal(await run(['find', layer.folder, '-name', '.wh*']), '');
  assert.equal(
    (await run(['sh', '-c', 'getfattr -Rhdm - "$1" | grep opaque || :', 'sh', layer.folder])).trim(),
    '',
  );
  assert.ok((await readdir(platform.paths.volumes)).includes(volumeName(squashed.layers[0] ?? '')));
});

test('the history tells of it, and undo brings the layers back', async () => {
  const { images } = platform;
  const [step, before] = await images.history.log({ owner: 'ann', name: 'two' });
  assert.deepEqual([step?.action, step?.detail, step?.user], ['squash', 'ann/two', 'ann']);
  const { image } = await images.history.undo('ann', { owner: 'ann', name: 'two' });
  assert.equal(image.digest, before?.digest);
  assert.equal(image.layers.length, 2);
});

test('another name takes the result, and the image stays; a name that is taken does not', async () => {
  const { images } = platform;
  const two = await images.get('ann', 'two');
  const { image } = await result(squash(two, 'one'));
  assert.deepEqual([image.name, image.layers.length], ['one', 1]);
  assert.deepEqual(await images.get('ann', 'two'), two);
  await assert.rejects(result(squash(two, 'one')), { code: 'CONFLICT' });
  const again = await result(squash(two, 'one', { digest: image.digest }));
  assert.deepEqual(again.image.layers, image.layers, 'the same files give the same layer');
  // An image of one layer is that already: the name is one more for the same digest.
  const same = await result(squash(again.image, 'alone'));
  assert.deepEqual([same.changed, same.image.digest], [false, again.image.digest]);
});

test('a squashed image can be changed', async () => {
  const { images } = platform;
  const command = await images.run('ann', await images.get('ann', 'one'), [
    '/bin/sh',
    '-c',
    'echo 3 >/etc/greeting',
  ]);
  command.stdin.end();
  assert.equal(await command.exited, 0);
  const saved = await command.save({ owner: 'ann', name: 'more' }, 'absent');
  await command.end();
  assert.equal(saved.image.layers.length, 2);
});

test('an image that moves meanwhile is not overwritten, and nothing is left', async () => {
  const { images } = platform;
  const two = await images.get('ann', 'two');
  const other = await addTiny(platform, 'other', 'other');
  const known = await store.images();
  const squashing = squash(two, 'two');
  await squashing.next();
  await images.duplicate('ann', other, { owner: 'ann', name: 'two' }, true);
  await assert.rejects(result(squashing), { code: 'CONFLICT' });
  assert.equal((await images.get('ann', 'two')).digest, other.digest);
  await images.collect(new Set(), 0);
  assert.deepEqual(
    (await store.images()).filter((digest) => !known.includes(digest)),
    [],
  );
});

test('who goes away in the middle leaves nothing', async () => {
  const two = await twoLayers('aborted');
  const known = await store.images();
  const gone = new AbortController();
  const squashing = squash(two, 'aborted', undefined, gone.signal);
  await squashing.next();
  gone.abort(new Error('the client is gone'));
  await assert.rejects(result(squashing), { message: 'the client is gone' });
  assert.deepEqual(await platform.images.get('ann', 'aborted'), two);
  assert.deepEqual(await readdir(join(platform.paths.containers, 'tmp')), []);
  assert.deepEqual(await store.images(), known);
});

test('a server that is killed in the middle leaves nothing', async () => {
  const two = await platform.images.get('ann', 'aborted');
  await platform.images.collect(new Set(), 0);
  const known = await store.images();
  const program = join(import.meta.dirname, 'squash.fixture.ts');
  await closePlatform(platform);
  // By then the image is in the store, and what it was made of still lies beside it.
  const { status, stderr } = await attempt([process.execPath, program, platform.folder, 'aborted']);
  assert.equal(status, null, stderr);
  await reopenPlatform(platform);
  assert.deepEqual(await platform.images.get('ann', 'aborted'), two);
  await platform.images.collect(new Set(), 0);
  assert.deepEqual((await store.images()).sort(), known.sort());
  assert.deepEqual(await readdir(join(platform.paths.containers, 'tmp')), []);
});

test('a version that was given up meanwhile cannot be squashed', async () => {
  const lost = { ...(await platform.images.get('ann', 'other')), digest: `sha256:${'0'.repeat(64)}` };
  await assert.rejects(result(squash(lost, 'nothing')), { code: 'NOT_FOUND' });
});
