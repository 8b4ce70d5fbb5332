import assert from 'node:assert/strict';
import { mkdir, mkdtemp, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type DiskSpec, type DiskTemplate, parseDisks } from '@walt/contract';
import { makeDiskImage, mountImage, run, unmountIn } from '../../platform/index.ts';
import {
  compareDisks,
  diskFile,
  ensureDisks,
  removeOtherDisks,
  requireDiskRoom,
  usedBytes,
} from './disks.ts';

const disks = (value: string): DiskSpec[] => {
  const parsed = parseDisks(value);
  assert.ok(parsed, value);
  return parsed;
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-vm-disks-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('compareDisks', () => {
  const rows: [title: string, before: string, after: string, made: string, lost: number[]][] = [
    ['nothing changes', '1G,2T', '1G,2T', 'none', []],
    ['all are new', 'none', '1G,2T[template=ext4]', '1G,2T[template=ext4]', []],
    ['one is added', '1G', '1G,2G', '2G', []],
    ['one grows', '1G,2G', '1G,3G', 'none', []],
    ['one shrinks', '1G,2G', '1G,1G', '1G', [1]],
    ['one gets another template', '1G,2G', '1G[template=fat32],2G', '1G[template=fat32]', [0]],
    ['the last one goes', '1G,2G', '1G', 'none', [1]],
    ['all go', '1G,2G', 'none', 'none', [0, 1]],
    ['the first one goes: the second becomes the first', '1G[template=ext4],2G', '2G', '2G', [0, 1]],
  ];
  for (const [title, before, after, made, lost] of rows) {
    test(title, () =>
      assert.deepEqual(compareDisks(disks(before), disks(after)), { made: disks(made), lost }),
    );
  }
});

describe('ensureDisks', () => {
  const inside = (file: string, path: string) =>
    run(['debugfs', '-R', `ls -l ${path}`, `${file}?offset=${1024 ** 2}`]);
  const kinds: [DiskTemplate, partition: string, fileSystem: string, files: RegExp | undefined][] = [
    ['ext4', '0x83', 'ext4', undefined],
    ['fat32', '0xc', 'vfat', undefined],
    ['hybrid-boot-v', '0x83', 'ext4', /^ +\d+ +40755 .* \.\n +\d+ .* \.\.\n\s*$/],
    ['hybrid-boot-p', '0x83', 'ext4', / 100644 .* 0 .* \.persistent\n/],
  ];
  for (const [template, type, fileSystem, files] of kinds) {
    test(`makes one partition for ${template}, and takes little of the disk`, async () => {
      const wanted = disks(`32G[template=${template}]`);
      await ensureDisks(folder, wanted);
      const file = join(folder, `disk1.${template}.img`);
      const { size, mode } = await stat(file);
      assert.deepEqual([size, mode & 0o777], [32_000_000_000, 0o600]);
      assert.deepEqual(await readdir(folder), [`disk1.${template}.img`]);
      const table = await run(['partx', '--show', '--noheadings', '--output', 'START,SECTORS,TYPE', file]);
      assert.deepEqual(table.trim().split(/\s+/), ['2048', String(32_000_000_000 / 512 - 2048), type]);
      const probe = ['blkid', '--probe', '--offset', String(1024 ** 2), '--output', 'value'];
      assert.equal((await run([...probe, '--match-tag', 'TYPE', file])).trim(), fileSystem);
      if (files) assert.match(await inside(file, '/walt_hybrid'), files);
      const [used] = await usedBytes(folder, wanted);
      assert.ok(used !== null && used !== undefined && used > 0 && used < 64_000_000, `${used}`);
    });
  }

  test('makes one without a template of nothing', async () => {
    await ensureDisks(folder, disks('1T'));
    const { size, blocks } = await stat(diskFile(folder, 0, { template: 'none' }));
    assert.deepEqual([size, blocks], [1_000_000_000_000, 0]);
  });

  test('leaves alone what is as it should be, makes larger what grows, and anew what shrinks', async () => {
    const file = diskFile(folder, 0, { template: 'none' });
    await ensureDisks(folder, disks('2G'));
    const first = await stat(file);
    await using handle = await open(file, 'r+');
    await handle.write('mine');
    const content = async () => {
      await using reader = await open(file, 'r');
      return (await reader.read(Buffer.alloc(4), 0, 4, 0)).buffer.toString();
    };
    for (const [value, size, ino, data] of [
      ['2G', 2e9, first.ino, 'mine'],
      ['3G', 3e9, first.ino, 'mine'],
      ['1G', 1e9, undefined, '\0\0\0\0'],
    ] as const) {
      await ensureDisks(folder, disks(value));
      const now = await stat(file);
      assert.deepEqual([now.size, await content()], [size, data], value);
      assert.equal(now.ino === first.ino, ino === first.ino, value);
    }
  });

  test('leaves no part of a disk that cannot be made', async () => {
    await assert.rejects(ensureDisks(join(folder, 'none'), disks('1G')), { code: 'ENOENT' });
    // mkfs fails on it, as it would where the disk is full.
    const tiny: DiskSpec = { size: 4096, template: 'ext4' };
    await assert.rejects(ensureDisks(folder, [tiny]));
    assert.deepEqual(await readdir(folder), []);
  });
});

test('what is no disk any more goes, and what was begun; all else stays', async () => {
  const names = ['disk1.none.img', 'disk1.ext4.img', 'disk2.none.img', 'disk1.none.img.0123456789ab.tmp'];
  for (const name of [...names, 'console.log']) await writeFile(join(folder, name), '');
  await removeOtherDisks(folder, disks('1G'));
  assert.deepEqual((await readdir(folder)).sort(), ['console.log', 'disk1.none.img']);
});

describe('requireDiskRoom', () => {
  test('refuses what the file system cannot hold, and a disk that is nearly full', async () => {
    const place = join(folder, 'place');
    await mkdir(place);
    await makeDiskImage(join(folder, 'small.img'), { size: 1_000_000_000 });
    try {
      await run(mountImage(join(folder, 'small.img'), place));
      await requireDiskRoom(place, []);
      await requireDiskRoom(place, disks('1T[template=ext4]'));
      await assert.rejects(requireDiskRoom(place, disks('1000T')), {
        code: 'INVALID',
        message: 'The file system of the server has no files of 1000T, as this disk would be.',
      });
      await assert.rejects(requireDiskRoom(place, disks('1G,1G')), {
        code: 'UNAVAILABLE',
        message: /^The disk of the server is nearly full: it has 9\d\d MB left\.$/,
      });
      assert.deepEqual(
        (await readdir(place)).filter((name) => name.startsWith('disk')),
        [],
      );
    } finally {
      await unmountIn(place);
    }
  });
});
