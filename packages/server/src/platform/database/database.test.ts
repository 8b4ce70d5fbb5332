import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { attempt, run } from '../programs/index.ts';
import { openDatabase } from './database.ts';
import { migrations } from './schema.ts';

const token = { hash: 'h', uid: 1, user: 'alice', expires: 9 };

test('a database keeps its rows when it is opened again', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-db-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'walt.db');

  const first = await openDatabase(file);
  await first.insertInto('token').values(token).execute();
  await first.destroy();

  const second = await openDatabase(file);
  assert.deepEqual({ ...(await second.selectFrom('token').selectAll().executeTakeFirstOrThrow()) }, token);
  await second.destroy();
  for (const name of await readdir(folder)) {
    assert.equal((await stat(join(folder, name))).mode & 0o077, 0, `${name} is closed to others`);
  }
});

test('a second server cannot open the same database', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-db-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'walt.db');
  const first = await openDatabase(file);
  const other = `import(${JSON.stringify(import.meta.resolve('./database.ts'))}).then((m) => m.openDatabase(${JSON.stringify(file)}))`;
  const { stderr } = await attempt([process.execPath, '-e', other]);
  assert.match(stderr, /Another server works with .*walt\.db/);
  await first.destroy();
  await run([process.execPath, '-e', `${other}.then((database) => database.destroy())`]);
});

test('a transaction that throws leaves nothing behind', async () => {
  const database = await openDatabase(':memory:');
  const failing = database.transaction().execute(async (transaction) => {
    await transaction.insertInto('token').values(token).execute();
    throw new Error('stop');
  });
  await assert.rejects(failing, /stop/);
  assert.deepEqual(await database.selectFrom('token').selectAll().execute(), []);
  await database.destroy();
});

test('history written before a rename kept it together is put together', async () => {
  const database = await openDatabase(':memory:');
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
  await migrations['0015-renames']?.up(database);
  const rows = await database.selectFrom('image_history').selectAll().orderBy('id').execute();
  assert.deepEqual(
    rows.map(({ name, previous, digest }) => `${name} ${previous}>${digest}`),
    ['c null>1', 'other null>1', 'c 1>1', 'a null>9', 'c 1>2', 'c 2>2'],
  );
  await database.destroy();
});

test('an image cannot point to an unknown digest', async () => {
  const database = await openDatabase(':memory:');
  const dangling = database
    .insertInto('image')
    .values({ owner: 'alice', name: 'a', digest: 'sha256:none', changed: 0 })
    .execute();
  await assert.rejects(dangling, /FOREIGN KEY/);
  await database.destroy();
});

test('nodes that an older server has served boot once more, others do not', async () => {
  const database = await openDatabase(':memory:');
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
  await migrations['0047-own-file-systems']?.up(database);
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
