import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openDatabase } from './database.ts';
import { attempt, run } from './exec.ts';

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

test('an image cannot point to an unknown digest', async () => {
  const database = await openDatabase(':memory:');
  const dangling = database
    .insertInto('image')
    .values({ owner: 'alice', name: 'a', digest: 'sha256:none', changed: 0 })
    .execute();
  await assert.rejects(dangling, /FOREIGN KEY/);
  await database.destroy();
});
