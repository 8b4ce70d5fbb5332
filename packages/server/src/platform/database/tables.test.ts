import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kysely } from 'kysely';
import { openDatabase } from './database.ts';
import { type TestTables, testTables } from './tables.fixture.ts';
import { type TableSet, tablesOf, together } from './tables.ts';

test('migrations of several domains run in the order of their names, those of one name in that of the domains', async () => {
  const ran: string[] = [];
  const domain = (of: string, ...names: string[]): TableSet<object> => ({
    migrations: Object.fromEntries(names.map((name) => [name, async () => void ran.push(`${name} ${of}`)])),
  });
  const tables = together(
    domain('a', '0003-c', '0001-first'),
    domain('b', '0002-b', '0001-first'),
    domain('c'),
    domain('d'),
    domain('e'),
  );
  await (await openDatabase(':memory:', tables)).destroy();
  assert.deepEqual(ran, ['0001-first a', '0001-first b', '0002-b b', '0003-c a']);
});

test('what several domains declare is declared of the whole', () => {
  const other: TableSet<{ other: object }> = {
    ...{ migrations: {}, counted: { others: 'other' }, numbering: ['other'] },
  };
  const { counted, numbering } = together(
    testTables,
    other,
    { migrations: {} },
    { migrations: {} },
    { migrations: {} },
  );
  assert.deepEqual(counted, { notes: 'note', others: 'other' });
  assert.deepEqual(numbering, ['note', 'other']);
});

test('a domain sees its tables in the transaction of another one', async () => {
  const database = await openDatabase(':memory:', testTables);
  const elsewhere: Kysely<object> = tablesOf<object>(database);
  const failing = elsewhere.transaction().execute(async (t) => {
    await tablesOf<TestTables>(t).insertInto('note').values({ text: 'lost' }).execute();
    throw new Error('stop');
  });
  await assert.rejects(failing, /stop/);
  assert.deepEqual(await database.selectFrom('note').selectAll().execute(), []);
  await database.destroy();
});
