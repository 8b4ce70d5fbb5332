import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../../platform/index.ts';
import { ensurePlatformVolume } from './platform-layer.ts';

test('the platform volume is made once and holds the SSH settings', async () => {
  const volumes = await mkdtemp(join(tmpdir(), 'walt-platform-'));
  try {
    const name = await ensurePlatformVolume({ volumes });
    assert.match(name, /^platform-[0-9a-f]{16}\.erofs$/);
    const { ino } = await stat(join(volumes, name));
    assert.equal(await ensurePlatformVolume({ volumes }), name);
    assert.equal((await stat(join(volumes, name))).ino, ino);
    assert.deepEqual(await readdir(volumes), [name]);
    const shown = await run([
      'dump.erofs',
      '--path=/etc/ssh/sshd_config.d/00-walt.conf',
      join(volumes, name),
    ]);
    assert.match(shown, /Uid: 0 +Gid: 0 +Access: 0644/);
  } finally {
    await rm(volumes, { recursive: true });
  }
});
