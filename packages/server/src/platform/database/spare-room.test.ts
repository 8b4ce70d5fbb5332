import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { keepSparePages } from './spare-room.ts';

test('pages are made when none are left, and a transaction that is open stays as it is', () => {
  using sqlite = new DatabaseSync(':memory:');
  const spare = () => sqlite.prepare('PRAGMA freelist_count').get()?.freelist_count;
  sqlite.exec('CREATE TABLE rows (value); BEGIN; INSERT INTO rows VALUES (1)');
  keepSparePages(sqlite);
  assert.equal(sqlite.isTransaction, true);
  sqlite.exec('INSERT INTO rows VALUES (2); COMMIT');
  assert.equal(sqlite.prepare('SELECT count(*) AS count FROM rows').get()?.count, 2);
  assert.equal(spare(), 0);
  keepSparePages(sqlite);
  assert.ok(Number(spare()) > 200);
});
