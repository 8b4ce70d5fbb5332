import type { Database } from '../platform/index.ts';
import { type Facts, nothingKnown } from './facts.ts';
import type { DeviceTables } from './tables.ts';

/** Seconds by which the time when a device was last heard may be behind in the database. */
const LAST_PRECISION = 60;

/** A network adapter that was heard on walt-net. */
export interface Device {
  mac: string;
  /** What a user called it; null: nobody did, or it is a node, which has its name there. */
  name: string | null;
  /** What DHCP has lent it, or a node's own address. */
  ip: string | null;
  facts: Facts;
  /** Unix times in seconds when it was first and last heard. */
  first: number;
  last: number;
}

/** Rows of devices. Knows what is in the database, so that only what has changed is written. */
export class DeviceStore {
  readonly #database: Database<DeviceTables>;
  readonly #written = new Map<string, Device>();

  constructor(database: Database<DeviceTables>) {
    this.#database = database;
  }

  async load(): Promise<Device[]> {
    for (const row of await this.#database.selectFrom('device').selectAll().execute()) {
      const facts = { ...nothingKnown, ...(JSON.parse(row.facts) as Partial<Facts>) };
      this.#written.set(row.mac, { ...row, facts });
    }
    return [...this.#written.values()];
  }

  /** Makes the database what `devices` are, in one transaction. */
  async write(devices: ReadonlyMap<string, Device>): Promise<void> {
    const gone = [...this.#written.keys()].filter((mac) => !devices.has(mac));
    const changed = [...devices.values()].filter((device) => isNews(device, this.#written.get(device.mac)));
    if (gone.length + changed.length === 0) return;
    await this.#database.transaction().execute(async (transaction) => {
      for (const mac of gone) await transaction.deleteFrom('device').where('mac', '=', mac).execute();
      for (const { facts, ...device } of changed) {
        const row = { ...device, facts: JSON.stringify(facts) };
        await transaction
          .insertInto('device')
          .values(row)
          .onConflict((conflict) => conflict.column('mac').doUpdateSet(row))
          .execute();
      }
    });
    for (const mac of gone) this.#written.delete(mac);
    for (const device of changed) this.#written.set(device.mac, device);
  }
}

function isNews(device: Device, written: Device | undefined): boolean {
  if (device === written) return false;
  if (!written || device.last - written.last >= LAST_PRECISION) return true;
  return JSON.stringify({ ...device, last: 0 }) !== JSON.stringify({ ...written, last: 0 });
}
