import assert from 'node:assert/strict';
import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { temporaryFolder } from '../../../test/platform.ts';
import { attempt, run } from '../../platform/index.ts';
import { Volumes, volumeName } from './volumes.ts';

const diffId = (letter: string) => `sha256:${letter.repeat(64)}`;

async function inFolder(use: (folder: string, layer: string) => Promise<void>): Promise<void> {
  const folder = await temporaryFolder();
  const layer = join(folder, 'layer');
  await mkdir(layer);
  try {
    await use(folder, layer);
  } finally {
    await attempt(['umount', join(folder, 'mounted')]);
    await rm(folder, { recursive: true });
  }
}

test('a volume is named by its layer', () => {
  assert.equal(volumeName(diffId('a')), `sha256-${'a'.repeat(64)}.erofs`);
  assert.throws(() => volumeName('sha256:../../etc'), RangeError);
});

test('a volume holds all that overlayfs needs', async () => {
  await inFolder(async (folder, layer) => {
    const setUp = `
      echo text > file; touch -d 2001-02-03T04:05:06Z file; ln file other; mknod gone c 0 0
      mkdir opaque; setfattr -n trusted.overlay.opaque -v y opaque
      cp /bin/true tool; setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 tool; chown 7:8 tool`;
    await run(['sh', '-euc', setUp], { cwd: layer });
    const volumes = new Volumes(join(folder, 'volumes'));
    await volumes.ensure({ diffId: diffId('a'), folder: layer });
    const mounted = join(folder, 'mounted');
    await mkdir(mounted);
    const volume = join(folder, 'volumes', volumeName(diffId('a')));
    await run(['mount', '-t', 'erofs', '-o', 'loop,ro', volume, mounted]);
    const look = 'stat -c "%n %a %u %g %h %Y %t %T %F" *; getfattr -hd -m- -e hex *; cat file';
    assert.equal(
      await run(['sh', '-euc', look], { cwd: mounted }),
      await run(['sh', '-euc', look], { cwd: layer }),
    );
  });
});

test('a volume for trees has the layer in a folder, nothing else, and an identity of its own', async () => {
  await inFolder(async (folder) => {
    const layer = join(folder, 'store', 'diff');
    await mkdir(join(layer, 'etc'), { recursive: true });
    await writeFile(join(layer, 'etc', 'name'), 'content');
    await mkdir(join(folder, 'store', 'work'));
    await writeFile(join(folder, 'store', 'lower'), 'l/ABC');
    const volumes = new Volumes(join(folder, 'volumes'));
    assert.equal(await volumes.findTree(diffId('1')), undefined);
    const path = await volumes.ensureTree({ diffId: diffId('1'), folder: layer });
    assert.equal(await volumes.findTree(diffId('1')), path);
    const mounted = join(folder, 'mounted');
    await mkdir(mounted);
    await run(['mount', '-t', 'erofs', '-o', 'loop,ro', path, mounted]);
    assert.deepEqual((await readdir(mounted, { recursive: true })).sort(), [
      'diff',
      'diff/etc',
      'diff/etc/name',
    ]);
    const uuid = await run(['blkid', '-s', 'UUID', '-o', 'value', path]);
    assert.equal(uuid.trim(), '11111111-1111-1111-1111-111111111111');
    await volumes.keepOnly(new Set([diffId('1')]));
    assert.equal(await volumes.findTree(diffId('1')), path);
    await volumes.keepOnly(new Set());
    assert.equal(await volumes.findTree(diffId('1')), undefined);
  });
});

test('the same layer gives the same volume; one that is there is not made again', async () => {
  await inFolder(async (folder, layer) => {
    await copyFile('/bin/true', join(layer, 'tool'));
    const [one, two] = ['one', 'two'].map((name) => join(folder, name, volumeName(diffId('a'))));
    if (!one || !two) throw new TypeError();
    await new Volumes(join(folder, 'one')).ensure({ diffId: diffId('a'), folder: layer });
    await new Volumes(join(folder, 'two')).ensure({ diffId: diffId('a'), folder: layer });
    assert.deepEqual(await readFile(one), await readFile(two));
    const { ino } = await stat(one);
    await new Volumes(join(folder, 'one')).ensure({ diffId: diffId('a'), folder: layer });
    assert.equal((await stat(one)).ino, ino);
  });
});

test('a layer that cannot be read leaves nothing', async () => {
  await inFolder(async (folder) => {
    const volumes = new Volumes(join(folder, 'volumes'));
    await assert.rejects(
      volumes.ensure({ diffId: diffId('a'), folder: join(folder, 'absent') }),
      /absent.*No such file/,
    );
    assert.deepEqual(await readdir(join(folder, 'volumes')), []);
  });
});

test('parts and unneeded volumes go, other files stay', async () => {
  await inFolder(async (folder) => {
    const [kept, old] = [volumeName(diffId('a')), volumeName(diffId('b'))];
    for (const name of [kept, old, `${old}.123.tmp`, 'platform-layer.erofs'])
      await writeFile(join(folder, name), '');
    const volumes = new Volumes(folder);
    await volumes.removeParts();
    assert.deepEqual(await readdir(folder), ['layer', 'platform-layer.erofs', kept, old]);
    await volumes.keepOnly(new Set([diffId('a')]));
    assert.deepEqual(await readdir(folder), ['layer', 'platform-layer.erofs', kept]);
  });
});

test('without a folder there is nothing to remove', async () => {
  const volumes = new Volumes('/nonexistent/volumes');
  await volumes.removeParts();
  await volumes.keepOnly(new Set());
});

test('how far a volume is can be seen while it is made', async () => {
  await inFolder(async (folder, layer) => {
    // Each line is another one: a tenth of a second to compress, at least.
    const lines = Array.from({ length: 600_000 }, (_, at) => `line ${at} of ${Math.sin(at)}`).join('\n');
    await writeFile(join(layer, 'lines'), lines);
    const volumes = new Volumes(join(folder, 'volumes'), { lookMs: 1 });
    const seen = new Set<number>();
    let isMade = false;
    const making = volumes.ensure({ diffId: diffId('a'), folder: layer }).finally(() => {
      isMade = true;
    });
    for (; !isMade; await nextTurn()) seen.add(volumes.packed(diffId('a')));
    await making;
    const told = [...seen];
    assert.ok(told.length >= 3, told.join(' '));
    assert.equal(volumes.packed(diffId('a')), 0, 'nothing is left of it');
  });
});
