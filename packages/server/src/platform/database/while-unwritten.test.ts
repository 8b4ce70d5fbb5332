import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDatabase } from './database.ts';
import { testTables } from './tables.fixture.ts';
import { whileUnwritten } from './while-unwritten.ts';

test('what was read is read again when something was written, and only then', async (t) => {
  const database = await openDatabase(':memory:', testTables);
  t.after(() => database.destroy());
  const add = (text: string) => database.insertInto('note').values({ text }).execute();
  let reads = 0;
  const notes = whileUnwritten(database, async () => {
    reads += 1;
    const rows = await database.selectFrom('note').select('text').orderBy('id').execute();
    return rows.map(({ text }) => text);
  });
  await add('one');
  assert.deepEqual([await notes(), await notes(), reads], [['one'], ['one'], 1]);

  await add('two');
  assert.deepEqual([await notes(), reads], [['one', 'two'], 2]);
  await database.updateTable('note').set({ text: 'three' }).where('text', '=', 'two').execute();
  assert.deepEqual([await notes(), reads], [['one', 'three'], 3]);
  await database.transaction().execute(async (transaction) => {
    await transaction.deleteFrom('note').execute();
  });
  assert.deepEqual([await notes(), reads], [[], 4]);
});

test('what is written while it is read is read by the next one', async (t) => {
  const database = await openDatabase(':memory:', testTables);
  t.after(() => database.destroy());
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const count = whileUnwritten(database, async () => {
    const rows = await database.selectFrom('note').selectAll().execute();
    await held;
    return rows.length;
  });
  const early = count();
  // In the order of their questions: the first has read before this is written.
  await database.selectFrom('note').selectAll().execute();
  await database.insertInto('note').values({ text: 'late' }).execute();
  release();
  assert.equal(await early, 0);
  assert.equal(await count(), 1);
});
