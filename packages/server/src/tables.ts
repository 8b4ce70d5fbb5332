/** The server's database, put together of the tables that each domain declares. */
import { type AccessTables, accessTables } from './access/index.ts';
import { type DeviceTables, deviceTables } from './devices/index.ts';
import { type ImageTables, imageTables } from './images/index.ts';
import { type CheckpointTables, checkpointTables } from './logs/index.ts';
import { type NodeTables, nodeTables } from './nodes/index.ts';
import { type Database, together } from './platform/index.ts';

/** In the order in which migrations of one name run. */
export const serverTables = together(imageTables, nodeTables, accessTables, deviceTables, checkpointTables);

export type ServerDatabase = Database<
  ImageTables & NodeTables & AccessTables & DeviceTables & CheckpointTables
>;
