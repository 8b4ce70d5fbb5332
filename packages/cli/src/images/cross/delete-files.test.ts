import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { deleteFiles } from './delete-files.ts';

test('only what is really in the folder is deleted', async () => {
  const place = await mkdtemp(join(tmpdir(), 'walt-delete-'));
  try {
    const [folder, other] = [join(place, 'folder'), join(place, 'other')];
    for (const path of [join(folder, 'sub'), join(folder, 'full'), other])
      await mkdir(path, { recursive: true });
    for (const path of ['file', 'sub/file', 'full/kept']) await writeFile(join(folder, path), '');
    await writeFile(join(other, 'safe'), '');
    await symlink(other, join(folder, 'link'));
    const paths = [
      'file',
      'sub/file',
      'sub',
      'full',
      'link/safe',
      '../other/safe',
      '/etc/hostname',
      '',
      'absent/x',
    ];
    await deleteFiles(folder, paths);
    assert.deepEqual((await readdir(folder)).sort(), ['full', 'link']);
    assert.deepEqual(await readdir(other), ['safe']);
    await deleteFiles(folder, ['link']);
    assert.deepEqual(await readdir(other), ['safe']);
  } finally {
    await rm(place, { recursive: true });
  }
});
