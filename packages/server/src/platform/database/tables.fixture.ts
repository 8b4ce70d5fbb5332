/** Tables of a domain that only tests have. */
import type { Generated } from 'kysely';
import type { TableSet } from './tables.ts';

export interface TestTables {
  note: { id: Generated<number>; text: string };
  /** Of a later version. */
  reader: { note: number };
}

export const testTables: TableSet<TestTables> = {
  migrations: {
    '0050-readers': (db) =>
      db.schema
        .createTable('reader')
        .addColumn('note', 'integer', (c) => c.notNull().references('note.id'))
        .execute(),
    '0001-first': (db) =>
      db.schema
        .createTable('note')
        .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
        .addColumn('text', 'text', (c) => c.notNull())
        .execute(),
  },
  counted: { notes: 'note' },
  numbering: ['note'],
};
