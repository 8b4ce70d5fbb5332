/** The table of devices, and the migration that made it. */
import type { Kysely } from 'kysely';
import type { TableSet } from '../platform/index.ts';

/** A network adapter that was heard on walt-net. */
export interface DeviceTable {
  mac: string;
  /** What a user called it; null: nobody did, or it is a node, which has its name there. */
  name: string | null;
  /** What DHCP has lent it. */
  ip: string | null;
  /** JSON: what it tells of itself (`Facts`). */
  facts: string;
  /** Unix times in seconds when it was first and last heard. */
  first: number;
  last: number;
}

export interface DeviceTables {
  device: DeviceTable;
}

async function devices(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('device')
    .addColumn('mac', 'text', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.unique())
    .addColumn('ip', 'text')
    .addColumn('facts', 'text', (c) => c.notNull())
    .addColumn('first', 'integer', (c) => c.notNull())
    .addColumn('last', 'integer', (c) => c.notNull())
    .execute();
}

export const deviceTables: TableSet<DeviceTables> = { migrations: { '0056-devices': devices } };
