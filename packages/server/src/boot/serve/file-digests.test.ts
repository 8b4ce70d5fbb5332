import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { FileDigests } from './file-digests.ts';

const sha256 = (...parts: string[]) => `sha256:${createHash('sha256').update(parts.join('')).digest('hex')}`;

test('a digest is that of the file as it is now, with what stands before it', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-digests-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'vmlinuz');
  const digests = new FileDigests();
  await assert.rejects(digests.of(path), /ENOENT/);
  await writeFile(path, 'first');
  const head = Buffer.from('head');
  assert.deepEqual(await Promise.all([digests.of(path), digests.of(path, head), digests.of(path)]), [
    sha256('first'),
    sha256('head', 'first'),
    sha256('first'),
  ]);
  await writeFile(path, 'other one');
  assert.equal(await digests.of(path), sha256('other one'));
  assert.equal(await digests.of(path, Buffer.from('new')), sha256('new', 'other one'));
});
