import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Kysely } from 'kysely';
import { attempt, run } from '../programs/index.ts';
import { openDatabase } from './database.ts';
import { testTables } from './tables.fixture.ts';

const note = { id: 1, text: 'kept' };

test('a database keeps its rows when it is opened again', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-db-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'walt.db');

  const first = await openDatabase(file, testTables);
  await first.insertInto('note').values(note).execute();
  await first.destroy();

  const second = await openDatabase(file, testTables);
  assert.deepEqual({ ...(await second.selectFrom('note').selectAll().executeTakeFirstOrThrow()) }, note);
  await second.destroy();
  for (const name of await readdir(folder)) {
    assert.equal((await stat(join(folder, name))).mode & 0o077, 0, `${name} is closed to others`);
  }
});

test('a second server cannot open the same database', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-db-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'walt.db');
  const first = await openDatabase(file, testTables);
  const [module, tables] = ['./database.ts', './tables.fixture.ts'].map((name) =>
    JSON.stringify(import.meta.resolve(name)),
  );
  const other = `import(${tables}).then(async ({ testTables }) =>
    (await import(${module})).openDatabase(${JSON.stringify(file)}, testTables))`;
  const { stderr } = await attempt([process.execPath, '-e', other]);
  assert.match(stderr, /Another server works with .*walt\.db/);
  await first.destroy();
  await run([process.execPath, '-e', `${other}.then((database) => database.destroy())`]);
});

test('what a newer version has changed is refused, and stays as it is', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-db-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'walt.db');
  const newer = { migrations: { ...testTables.migrations, '9000-later': async () => {} } };
  await (await openDatabase(file, newer)).destroy();
  await assert.rejects(openDatabase(file, testTables), {
    code: 'UNAVAILABLE',
    message: /newer version of WalT .*walt\.db.*9000-later/,
  });
  await (await openDatabase(file, newer)).destroy();
});

test('a statement that was used before a table changed sees its new column', async (t) => {
  const database = await openDatabase(':memory:', testTables);
  t.after(() => database.destroy());
  const all = () => database.selectFrom('note').selectAll().execute();
  await database.insertInto('note').values(note).execute();
  await all();
  await database.schema.alterTable('note').addColumn('size', 'integer').execute();
  assert.deepEqual(await all(), [{ ...note, size: null }]);
});

test('more statements than are kept ready are carried out all the same', async (t) => {
  const database = await openDatabase(':memory:', testTables);
  t.after(() => database.destroy());
  for (const round of [1, 2])
    for (let count = 1; count <= 300; count += 1) {
      const ids = Array.from({ length: count }, (_, index) => index);
      assert.deepEqual(await database.selectFrom('note').select('id').where('id', 'in', ids).execute(), []);
      if (count === 300)
        await database
          .insertInto('note')
          .values({ text: `round ${round}` })
          .execute();
      if (count === 300) await database.deleteFrom('note').execute();
    }
});

test('a transaction that throws leaves nothing behind', async () => {
  const database = await openDatabase(':memory:', testTables);
  const failing = database.transaction().execute(async (transaction) => {
    await transaction.insertInto('note').values(note).execute();
    throw new Error('stop');
  });
  await assert.rejects(failing, /stop/);
  assert.deepEqual(await database.selectFrom('note').selectAll().execute(), []);
  await database.destroy();
});

test('of migrations that are cut off, nothing is left: the next start makes them', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-database-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'walt.db');
  const cutOff = {
    migrations: {
      ...testTables.migrations,
      '9999-cut-off': async (db: Kysely<unknown>) => {
        await db.schema.createTable('more').addColumn('id', 'integer').execute();
        throw new Error('cut off');
      },
    },
  };
  await assert.rejects(openDatabase(file, cutOff), /cut off/);
  const database = await openDatabase(file, testTables);
  const tables = await database.introspection.getTables();
  await database.destroy();
  assert.ok(!tables.some(({ name }) => name === 'more'));
});
