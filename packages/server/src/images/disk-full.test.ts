import assert from 'node:assert/strict';
import { statfs } from 'node:fs/promises';
import { PassThrough } from 'node:stream';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pack } from 'tar-stream';
import { until } from '../../../../test/until.ts';
import { type LyingRegistry, startLyingRegistry, tarOf } from '../../test/lying-registry.ts';
import {
  addTiny,
  destroyPlatform,
  openPlatform,
  type Platform,
  result,
  Typist,
  temporaryFolder,
} from '../../test/platform.ts';
import { clone, configured } from '../../test/registry.ts';
import { attempt, ExternalError, run, UserError } from '../platform/index.ts';
import { explainDiskFull, isDiskFull } from './disk-full.ts';

const errors: [error: unknown, full: boolean][] = [
  [Object.assign(new Error('x'), { code: 'ENOSPC' }), true],
  [Object.assign(new Error('x'), { code: 'EDQUOT' }), true],
  [Object.assign(new Error('x'), { code: 'EIO' }), false],
  [new ExternalError(['buildah'], 125, 'copying layers: write /x: no space left on device'), true],
  [new ExternalError(['mkfs.erofs'], 1, 'erofs: [Error 28] No space left on device'), true],
  [new ExternalError(['buildah'], 125, 'image not known'), false],
];

test('knows a full disk, ours and that of other programs', async () => {
  for (const [error, full] of errors) assert.equal(isDiskFull(error), full, String(error));
  const other = new Error('other');
  await assert.rejects(
    explainDiskFull('/x', 'Safe.', () => Promise.reject(other)),
    other,
  );
});

let platform: Platform;
let liar: LyingRegistry;

before(async () => {
  const folder = await temporaryFolder();
  await run(['mount', '-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', folder]);
  liar = await startLyingRegistry([]);
  const registries = [configured('liar', liar.host, { protocol: 'http' })];
  platform = await openPlatform(folder, { registries });
});

after(async () => {
  await liar[Symbol.asyncDispose]();
  // The folder itself is a mount: its removal fails as the last step, and is repeated without it.
  await destroyPlatform(platform).catch(() => {});
  await attempt(['umount', platform.folder]);
  await run(['rm', '-rf', '--', platform.folder]);
});

test('a full disk during a save: the image is as it was, the session is kept, and can be saved later', async () => {
  const { images } = platform;
  const tiny = await addTiny(platform);
  const { id } = await images.shells.open('ann', tiny);
  const typist = new Typist(await images.shells.attach(id, { columns: 80, rows: 24 }));
  await typist.type('dd if=/dev/urandom of=/root/big bs=1048576 count=9');
  await typist.exit();
  const save = () => result(images.shells.save('ann', id, { owner: 'ann', name: 'tiny' }));
  await assert.rejects(save(), (error) => {
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.code, 'UNAVAILABLE');
    assert.match(error.message, /disk is full/);
    return true;
  });
  assert.deepEqual(await images.get('ann', 'tiny'), tiny);
  assert.equal((await images.shells.get(id)).state, 'exited');
  await run(['mount', '-o', 'remount,size=96m', platform.folder]);
  const saved = await save();
  assert.equal(saved.image.layers.length, tiny.layers.length + 1);
});

test('a full disk during a squash: the image is as it was, and it works when there is room', async () => {
  const { images, folder } = platform;
  const image = await images.get('ann', 'tiny');
  const { signal } = new AbortController();
  const squash = () => result(images.squash('ann', image, image, { digest: image.digest }, signal));
  const { bsize, blocks, bfree } = await statfs(folder);
  const used = Math.ceil(((blocks - bfree) * bsize) / 2 ** 20);
  await run(['mount', '-o', `remount,size=${used + 5}m`, folder]);
  await assert.rejects(squash(), (error) => {
    assert.ok(error instanceof UserError, String(error));
    assert.match(error.message, /disk is full/);
    return true;
  });
  assert.deepEqual(await images.get('ann', 'tiny'), image);
  // What was still to be read is read by nobody.
  await until('no program is left', async () => !process.getActiveResourcesInfo().includes('ProcessWrap'));
  await run(['mount', '-o', 'remount,size=128m', folder]);
  assert.equal((await squash()).image.layers.length, 1);
});

test('what fills the disk is ended, and nothing is begun when it is full', async () => {
  const { images, folder } = platform;
  const image = await images.get('ann', 'tiny');
  // Quickly at first, then slowly: the disk is looked at once a second.
  const fill = async () => {
    const { bavail, bsize } = await statfs(folder);
    const quick = `dd if=/dev/zero of=/root/big bs=1M count=${Math.floor((bavail * bsize) / 2 ** 20) - 5}`;
    return `${quick}; for i in 0 1 2 3 4 5 6 7 8 9; do for j in 0 1 2 3 4 5 6 7 8 9; do dd if=/dev/zero of=/root/$i$j bs=200K count=1; busybox sleep 0.1; done; done; sleep 1000`;
  };
  const { id } = await images.shells.open('ann', image);
  const terminal = await images.shells.attach(id, { columns: 80, rows: 24 });
  terminal.stream.resume();
  terminal.stream.write(`${await fill()}\r`);
  await assert.rejects(terminal.exited, { code: 'UNAVAILABLE', message: /disk is full.*the session waits/s });
  assert.equal((await images.shells.get(id)).state, 'exited');
  const full = { code: 'UNAVAILABLE', message: /disk is full.*Nothing was begun/ };
  await assert.rejects(images.shells.open('ann', { ...image, name: 'other' }), full);
  await assert.rejects(images.run('ann', image, ['true']), full);
  await images.shells.discard(id);

  const command = await images.run('ann', image, ['/bin/sh', '-c', await fill()]);
  command.stdin.end();
  for (const stream of [command.stdout, command.stderr]) stream.resume();
  await assert.rejects(command.exited, {
    code: 'UNAVAILABLE',
    message: /disk is full.*nothing of it is kept/s,
  });
  await command.end();
  const { bavail, blocks } = await statfs(folder);
  assert.ok(bavail > blocks / 10);
});

test('a copy into an image that comes to the reserve is ended before it takes that', async () => {
  const { images, folder } = platform;
  const image = await images.get('ann', 'tiny');
  const room = async () => {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  };
  const before = await room();
  let least = before;
  // Quickly at first, then slowly: the disk is looked at once a second.
  const sent = pack().on('error', () => {});
  const file = sent.entry({ name: 'large', size: 2 ** 30 });
  file.on('error', () => {});
  const body = new PassThrough();
  sent.pipe(body);
  const sending = (async () => {
    while (!body.destroyed) {
      least = Math.min(least, await room());
      const slowly = least < 6_000_000;
      file.write(Buffer.alloc(slowly ? 50_000 : 1_000_000, 1));
      await delay(slowly ? 50 : 20);
    }
  })();
  await assert.rejects(images.writeFiles('ann', image, '/root/large', body), {
    ...{ code: 'UNAVAILABLE', message: /disk is full.*The image is as it was/ },
  });
  await sending;
  assert.ok(least > 0, 'of its reserve, something is left');
  assert.deepEqual(await images.get('ann', 'tiny'), image);
  assert.ok((await room()) > before - 5_000_000, 'what came is gone');
});

test('an image that unpacks to more than the disk has is refused, and leaves the disk as it was', async () => {
  const { images, folder } = platform;
  await run(['mount', '-o', 'remount,size=160m', folder]);
  const small = (letter: string) => tarOf([{ name: letter, text: letter.repeat(20_000_000) }]);
  const bomb = await tarOf([{ name: 'zeros', text: '\0'.repeat(200_000_000) }]);
  liar.add('bomb', { tars: [await small('a'), await small('b'), bomb] });
  const free = async () => {
    const { bsize, bfree } = await statfs(folder);
    return (bsize * bfree) / 2 ** 20;
  };
  const before = await free();
  await assert.rejects(clone(platform, 'liar:exp:bomb', 'bomb'), {
    ...{ code: 'UNAVAILABLE', message: /disk is full.*No image was changed/ },
  });
  assert.equal(await images.find('ann', 'bomb'), undefined);
  assert.ok(before - (await free()) < 10, `${before} MB were free, ${await free()} are`);
});

test('an image that says that it is larger than the disk is not fetched', async () => {
  liar.add('huge', { tars: [await tarOf([{ name: 'x' }])], descriptor: { size: 2 ** 50 } });
  liar.asked.length = 0;
  await assert.rejects(clone(platform, 'liar:exp:huge', 'huge'), { message: /disk is full/ });
  assert.equal(liar.asked.length, 1);
});
