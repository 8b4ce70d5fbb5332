/** The platform's database: tables, migrations, verified copies. */
export { type Database, openDatabase } from './database.ts';
export {
  type DescribedCopy,
  describeCopies,
  mayCollect,
  openPlatformDatabase,
  type PlatformDatabase,
  restoreDatabase,
} from './platform-database.ts';
export type { ImageDigestTable, NodeTable, Schema, ShellSessionTable } from './schema.ts';
