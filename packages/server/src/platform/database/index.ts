/** The platform's database: migrations of the tables that domains declare, verified copies. Knows no domain's table. */

export { openDatabase, openSqliteDatabase } from './database.ts';
export { copyClosedDatabase, copyOpenDatabase, openCopy } from './database-copies.ts';
export { type GroupedWrites, groupedWrites } from './grouped-writes.ts';
export {
  type DescribedCopy,
  describeCopies,
  mayCollect,
  openPlatformDatabase,
  restoreDatabase,
  unknownMigrations,
} from './platform-database.ts';
export { isPostgres, openPostgres, type PostgresAccess, type PostgresSession } from './postgres.ts';
export { openSpareRoom } from './spare-room.ts';
export { type AnyDatabase, type Database, type TableSet, tablesOf, together } from './tables.ts';
export { whileUnwritten } from './while-unwritten.ts';
