import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { until } from '../../../../../test/until.ts';
import { openDatabase } from '../../platform/index.ts';
import { imageTables } from '../catalogue/index.ts';
import { VolumeDigests } from './volume-digests.ts';

const log = { info() {}, warn() {}, error() {} };
/** Of a volume of one block, which needs no tree. */
const factsOf = (text: string) => {
  const block = Buffer.alloc(4096, 0);
  block.write(text);
  const sha256 = createHash('sha256').update(block).digest('hex');
  return { name: 'a.erofs', size: 4096, sha256, root: sha256, blocks: 1 };
};

test('the bytes of a volume are known once they were read, also to the next server, until the file is another one', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-volume-digests-'));
  t.after(() => rm(folder, { recursive: true }));
  const database = await openDatabase(join(folder, 'walt.db'), imageTables);
  t.after(() => database.destroy());
  const open = () => new VolumeDigests({ database, paths: { volumes: folder }, log });
  const digests = open();
  assert.equal(await digests.soon('a.erofs'), undefined);
  await writeFile(join(folder, 'a.erofs'), 'first');
  const first = factsOf('first');
  assert.equal(await digests.soon('a.erofs'), undefined);
  assert.deepEqual(await until('its digest', () => digests.soon('a.erofs')), first);
  assert.deepEqual(await open().soon('a.erofs'), first);
  await writeFile(join(folder, 'a.erofs'), 'another');
  assert.equal(await digests.soon('a.erofs'), undefined);
  const another = factsOf('another');
  assert.deepEqual(await until('its digest', () => digests.soon('a.erofs')), another);
  await rm(join(folder, 'a.erofs'));
  await open().sweep();
  assert.deepEqual(await database.selectFrom('volume_digest').selectAll().execute(), []);
});
