import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { PLATFORM_OWNER } from '@walt/contract';
import { EVERYBODY } from '../../access/index.ts';
import { bootingNodes } from '../../nodes/index.ts';
import { openDatabase, readConfig } from '../../platform/index.ts';
import { Quotas } from '../../space/index.ts';
import { type ServerDatabase, serverTables } from '../../tables.ts';
import type { DigestRecord } from '../types.ts';
import { Catalogue } from './catalogue.ts';

const MIB = 1024 * 1024;
let database: ServerDatabase;
let catalogue: Catalogue;

beforeEach(async () => {
  database = await openDatabase(':memory:', serverTables);
  const text = 'quotas: { users: { ann: { images: 100 } } }';
  const quotas = new Quotas({ config: readConfig(text, 'x').quotas, access: EVERYBODY });
  catalogue = new Catalogue(database, bootingNodes, () => {}, {
    quotas,
    retention: { versions: 1, days: 0 },
  });
});

/** Each letter is a layer: 10 MiB unpacked for `a`, 20 for `b` and so on, and half of that as a volume. */
async function image(letters: string): Promise<DigestRecord> {
  const layers = [...letters].map((letter) => `sha256:${letter.repeat(64)}`);
  await catalogue.noteLayers(
    layers.map((diffId) => {
      const size = (diffId.charCodeAt(7) - 96) * 10 * MIB;
      return { diffId, size, volume: size / 2 };
    }),
  );
  return {
    ...{ digest: `sha256:${letters.padEnd(64, '0')}`, architecture: 'amd64', created: 1, size: 1 },
    ...{ layers, kernel: null, bootPlan: 'volumes', models: ['pc-x86-64'], lends: [] },
  };
}

async function point(name: string, letters: string, owner = 'ann', action: 'build' | 'default' = 'build') {
  await catalogue.point({ owner, name }, await image(letters), 'any', { user: owner, action });
}

const space = async (owner = 'ann') =>
  (await catalogue.spaceOf(owner)).map(({ name, amount }) => `${name} ${amount / MIB}`).join();

test('each layer of a user counts once, versions that are kept count, those of default images do not', async () => {
  await point('pc-x86-64-default', 'd', PLATFORM_OWNER, 'default');
  await point('one', 'da');
  await point('two', 'dab');
  assert.equal(await space(), 'one 15,two 30');
  // Of `one`, the version before is kept.
  await point('one', 'dc');
  assert.equal(await space(), 'one 45,two 45');
  await catalogue.remove({ owner: 'ann', name: 'two' }, 'ann');
  assert.equal(await space(), 'one 45,older versions 15');
  // Somebody else's copy counts for him, too, and still does when the default image has changed.
  await point('mine', 'da', 'bob');
  await point('pc-x86-64-default', 'e', PLATFORM_OWNER, 'default');
  assert.equal(await space('bob'), 'mine 15');
});

test('a name is not moved when its owner would have more than he may, and all stays as it was', async () => {
  await point('one', 'abc');
  await assert.rejects(point('two', 'abcd'), {
    code: 'FORBIDDEN',
    message:
      'The quota of ann is 100 MiB of image space (quotas.users.ann in server.conf): 90 MiB is in use (one), and this needs 60 MiB more.',
  });
  assert.equal(await catalogue.find({ owner: 'ann', name: 'two' }), undefined);
  assert.equal(await catalogue.digest(`sha256:${'abcd'.padEnd(64, '0')}`), undefined);
  // What takes no more is no matter of quotas, nor is what others do.
  await point('copy', 'abc');
  await point('two', 'abcd', 'bob');
  await point('one', 'ab');
});

test('of two who would pass a quota together, one does', async () => {
  await point('one', 'ab');
  const results = await Promise.allSettled([point('two', 'c'), point('three', 'd')]);
  assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
});

test('nothing is begun when nothing is left', async () => {
  await point('one', 'abc');
  await catalogue.requireSpace('ann');
  await catalogue.noteLayers([{ diffId: `sha256:${'a'.repeat(64)}`, size: 30 * MIB, volume: 0 }]);
  await assert.rejects(catalogue.requireSpace('ann'), /105 MiB is in use \(one\)\.$/);
  await assert.rejects(catalogue.check({ owner: 'ann', name: 'x' }, 'absent'), { code: 'FORBIDDEN' });
  await catalogue.requireSpace('bob');
  await catalogue.requireSpace(PLATFORM_OWNER);
});
