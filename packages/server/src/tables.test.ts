import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { openDatabase } from './platform/index.ts';
import { serverTables } from './tables.ts';

/** Released: a platform out there has them in its database under these names, and in this order. */
const RELEASED = [
  ...['0001-first', '0013-lends', '0014-layers', '0015-renames', '0019-given-up', '0020-removed-nodes'],
  ...['0040-platform', '0047-own-file-systems', '0049-served-cycle'],
];
const TABLES = [
  ...['image_digest', 'image', 'image_history', 'shell_session', 'node', 'persist_folder', 'token'],
  ...['image_layer', 'removed_node', 'platform'],
];

test('released migrations keep their names and their order, and tables are made in the order that they always were', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-tables-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'walt.db');
  await (await openDatabase(file, serverTables)).destroy();
  using database = new DatabaseSync(file);
  const names = (query: string) =>
    database
      .prepare(query)
      .all()
      .map(({ name }) => name);
  const migrations = names('SELECT name FROM kysely_migration ORDER BY timestamp, name');
  assert.deepEqual(migrations.slice(0, RELEASED.length), RELEASED);
  const tables = names("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
  assert.deepEqual(
    tables.filter((name) => !String(name).startsWith('kysely_')).slice(0, TABLES.length),
    TABLES,
  );
});

test('a copy is described by its images and nodes; numbers of nodes and of their /persist are not given again', () => {
  assert.deepEqual(serverTables.counted, { images: 'image', nodes: 'node' });
  assert.deepEqual(serverTables.numbering, ['node', 'persist_folder']);
});
