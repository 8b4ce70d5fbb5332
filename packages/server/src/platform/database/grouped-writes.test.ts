import assert from 'node:assert/strict';
import { StatementSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { sql } from 'kysely';
import { isUserError } from '../errors.ts';
import { openSqliteDatabase } from './database.ts';
import { type GroupedWrites, groupedWrites } from './grouped-writes.ts';
import { type TestTables, testTables } from './tables.fixture.ts';

async function open(t: TestContext) {
  const { database, sqlite } = await openSqliteDatabase(':memory:', testTables);
  t.after(() => database.destroy());
  const run = t.mock.method(StatementSync.prototype, 'run');
  const write: GroupedWrites<TestTables> = groupedWrites(database);
  return {
    write,
    sqlite,
    add: (text: string) =>
      write((transaction) =>
        transaction.insertInto('note').values({ text }).returning('id').executeTakeFirstOrThrow(),
      ),
    texts: async () =>
      (await database.selectFrom('note').select('text').orderBy('id').execute()).map(({ text }) => text),
    commits: () =>
      run.mock.calls.filter(({ this: of }) => of instanceof StatementSync && of.sourceSQL === 'commit')
        .length,
  };
}

test('writes that are asked for at the same time are one commit, each with its answer', async (t) => {
  const { add, texts, commits } = await open(t);
  const made = await Promise.all(['a', 'b', 'c'].map(add));
  assert.deepEqual(
    made.map(({ id }) => id),
    [1, 2, 3],
  );
  assert.deepEqual([await texts(), commits()], [['a', 'b', 'c'], 1]);
  await add('d');
  assert.deepEqual([await texts(), commits()], [['a', 'b', 'c', 'd'], 2]);
});

test('one that fails leaves nothing, and the others are kept', async (t) => {
  const { add, write, texts, commits } = await open(t);
  const failing = write(async (transaction) => {
    await transaction.insertInto('note').values({ text: 'half' }).execute();
    throw new Error('no more of this');
  });
  const [before, failed, after] = await Promise.allSettled([add('before'), failing, add('after')]);
  assert.deepEqual([before.status, failed.status, after.status], ['fulfilled', 'rejected', 'fulfilled']);
  await assert.rejects(failing, /no more of this/);
  assert.deepEqual([await texts(), commits()], [['before', 'after'], 1]);
});

test('more than fit into one commit are all written, in their order', async (t) => {
  const { add, texts, commits } = await open(t);
  const all = Array.from({ length: 120 }, (_, index) => `note ${index}`);
  await Promise.all(all.map(add));
  assert.deepEqual([await texts(), commits()], [all, 3]);
});

test('a full disk fails them all, in words, and the next ones go on when there is room', async (t) => {
  const { add, write, sqlite, texts } = await open(t);
  const { page_count: pages } = sqlite.prepare('PRAGMA page_count').get() ?? {};
  sqlite.exec(`PRAGMA max_page_count = ${Number(pages) + 2}`);
  const large = write((transaction) =>
    transaction
      .insertInto('note')
      .values({ text: 'x'.repeat(100_000) })
      .execute(),
  );
  const [small, full] = await Promise.allSettled([add('small'), large]);
  assert.ok(full.status === 'rejected' && isUserError(full.reason), 'it is told as a failure of the disk');
  // Whether SQLite gives up the whole commit is its affair: what was told is what is there.
  assert.deepEqual(await texts(), small.status === 'fulfilled' ? ['small'] : []);
  sqlite.exec('PRAGMA max_page_count = 1000000');
  await add('again');
  assert.equal((await texts()).at(-1), 'again');
});

test('a commit that fails is told to all', async (t) => {
  const { add, write, texts } = await open(t);
  const broken = write(async (transaction) => {
    await sql`PRAGMA defer_foreign_keys = on`.execute(transaction);
    await transaction.insertInto('reader').values({ note: 77 }).execute();
  });
  const outcomes = await Promise.allSettled([add('a'), broken]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.deepEqual(await texts(), []);
  await add('b');
  assert.deepEqual(await texts(), ['b']);
});
