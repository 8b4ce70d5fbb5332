import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDatabase, tablesOf } from '../platform/index.ts';
import { nodeTables } from './tables.ts';

test('nodes that an older server has served boot once more, others do not', async () => {
  const database = await openDatabase(':memory:', nodeTables);
  const node = (id: number, served: number | null) => ({
    ...{
      id,
      mac: `m${id}`,
      name: `n${id}`,
      ip: `i${id}`,
      type: 'virtual',
      model: 'pc-x86-64',
      architecture: 'amd64',
    },
    ...{ image_owner: 'alice', image_name: 'a', generation: 5, hard: 0, token: 't', created: 1 },
    served_generation: served,
  });
  await database
    .insertInto('node')
    .values([node(1, 5), node(2, null)])
    .execute();
  await nodeTables.migrations['0047-own-file-systems']?.(tablesOf(database));
  const rows = await database.selectFrom('node').select(['id', 'generation']).orderBy('id').execute();
  assert.deepEqual(
    rows.map(({ id, generation }) => [id, generation]),
    [
      [1, 6],
      [2, 5],
    ],
  );
  await database.destroy();
});
