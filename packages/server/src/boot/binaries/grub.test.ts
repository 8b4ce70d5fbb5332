import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { run } from '../../platform/index.ts';
import { keepGrub } from './grub.ts';

test('GRUB of the default image for 64-bit ARM is kept, and of no other', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-grub-'));
  try {
    const lentLoaders = join(folder, 'loaders');
    for (const [name, content] of [
      ['grubnetaa64.efi', 'grub'],
      ['arm64-efi/http.mod', 'module'],
    ] as const) {
      const path = join(folder, 'image/usr/lib/grub', name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content);
    }
    const tar = join(folder, 'image.tar');
    await run(['tar', '-C', join(folder, 'image'), '-cf', tar, '.']);
    await keepGrub('amd64', tar, { lentLoaders });
    await assert.rejects(readdir(lentLoaders), { code: 'ENOENT' });
    await keepGrub('arm64', tar, { lentLoaders });
    assert.deepEqual((await readdir(lentLoaders)).sort(), ['grubnetaa64.efi']);
    assert.equal(await readFile(join(lentLoaders, 'grubnetaa64.efi'), 'utf8'), 'grub');
    // An image without it takes nothing away.
    await run(['tar', '-cf', tar, '-T', '/dev/null']);
    await keepGrub('arm64', tar, { lentLoaders });
    assert.equal((await readdir(lentLoaders)).length, 1);
  } finally {
    await rm(folder, { recursive: true });
  }
});
