import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDatabase, tablesOf } from '../../platform/index.ts';
import { imageTables } from './tables.ts';

test('history written before a rename kept it together is put together', async () => {
  const database = await openDatabase(':memory:', imageTables);
  const step = (name: string, previous: string | null, digest: string | null, action = 'shell') => ({
    ...{ owner: 'alice', name, previous, digest, action, at: 1, user: 'alice', detail: '', added: null },
  });
  await database
    .insertInto('image_history')
    .values([
      step('a', null, '1'),
      step('other', null, '1'),
      step('a', '1', null, 'rename'),
      step('b', null, '1', 'rename'),
      step('a', null, '9'),
      step('b', '1', '2'),
      step('b', '2', null, 'rename'),
      step('c', null, '2', 'rename'),
    ])
    .execute();
  await imageTables.migrations['0015-renames']?.(tablesOf(database));
  const rows = await database.selectFrom('image_history').selectAll().orderBy('id').execute();
  assert.deepEqual(
    rows.map(({ name, previous, digest }) => `${name} ${previous}>${digest}`),
    ['c null>1', 'other null>1', 'c 1>1', 'a null>9', 'c 1>2', 'c 2>2'],
  );
  await database.destroy();
});

test('an image cannot point to an unknown digest', async () => {
  const database = await openDatabase(':memory:', imageTables);
  const dangling = database
    .insertInto('image')
    .values({ owner: 'alice', name: 'a', digest: 'sha256:none', changed: 0 })
    .execute();
  await assert.rejects(dangling, /FOREIGN KEY/);
  await database.destroy();
});
