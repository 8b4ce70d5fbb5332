import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { run } from '../../platform/index.ts';
import { compareSnapshots, packEntries, takeSnapshot } from './work-folder.ts';

test('what a command changed is found and packed, whatever times it sets', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-work-'));
  try {
    await mkdir(join(folder, 'sub/deep'), { recursive: true });
    for (const name of ['same', 'edited', 'mode', 'gone', 'becomes', 'sub/deep/gone']) {
      await writeFile(join(folder, name), 'old');
    }
    const before = await takeSnapshot(folder);
    assert.deepEqual(compareSnapshots(before, await takeSnapshot(folder)), { changed: [], deleted: [] });

    await writeFile(join(folder, 'edited'), 'new');
    await utimes(join(folder, 'edited'), 0, 0);
    await chmod(join(folder, 'mode'), 0o700);
    await rm(join(folder, 'gone'));
    await rm(join(folder, 'sub/deep'), { recursive: true });
    await rm(join(folder, 'becomes'));
    await mkdir(join(folder, 'becomes'));
    await writeFile(Buffer.concat([Buffer.from(`${folder}/becomes/`), Buffer.of(0xe9)]), 'not UTF-8');
    await symlink('/etc/passwd', join(folder, '-link'));
    const { changed, deleted } = compareSnapshots(before, await takeSnapshot(folder));
    assert.deepEqual(changed, ['-link', 'becomes', 'becomes/\xe9', 'edited', 'mode']);
    assert.deepEqual(deleted, ['sub/deep/gone', 'sub/deep', 'gone', 'becomes']);

    const listing = await run(['tar', '--list', '--quoting-style=escape'], {
      input: await buffer(packEntries(folder, changed)),
    });
    assert.deepEqual(listing.trim().split('\n'), [
      './',
      './-link',
      './becomes/',
      './becomes/\\351',
      './edited',
      './mode',
    ]);
    await assert.rejects(buffer(packEntries(folder, ['no such file'])), /tar: .*no such file/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
