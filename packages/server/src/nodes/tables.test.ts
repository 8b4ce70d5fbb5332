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
      architecture: 'amd64' as const,
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

test('cores and memory of virtual nodes become settings, where they are not as by default', async () => {
  const { migrations } = nodeTables;
  const { '0103-machine-settings': toSettings, ...before } = migrations;
  const database = await openDatabase(':memory:', { ...nodeTables, migrations: before });
  const untyped = tablesOf<{ node: Record<string, unknown> }>(database);
  const node = (id: number, type: string, cores: number | null, ram: number | null, settings = '{}') => ({
    ...{
      id,
      type,
      cpu_cores: cores,
      ram_mib: ram,
      settings,
      mac: `m${id}`,
      name: `n${id}`,
      ip: `i${id}`,
      model: 'x',
    },
    ...{
      architecture: 'amd64' as const,
      image_owner: 'a',
      image_name: 'a',
      generation: 1,
      hard: 0,
      token: 't',
      created: 1,
    },
  });
  await untyped
    .insertInto('node')
    .values([
      node(1, 'virtual', 2, 1024),
      node(2, 'virtual', 4, 1536, '{"boot.retries":"3"}'),
      node(3, 'virtual', 2, 512),
      node(4, 'physical', null, null, '{"power":"none"}'),
    ])
    .execute();
  await toSettings?.(tablesOf(database));
  const rows = await untyped.selectFrom('node').selectAll().orderBy('id').execute();
  assert.deepEqual(
    rows.map(({ settings }) => JSON.parse(String(settings))),
    [{}, { 'boot.retries': '3', 'cpu.cores': '4', ram: '1536M' }, { ram: '512M' }, { power: 'none' }],
  );
  assert.ok(rows.every((row) => !('cpu_cores' in row) && !('ram_mib' in row)));
  await database.destroy();
});
