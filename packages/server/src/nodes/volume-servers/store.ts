import type { Network } from '../../network/index.ts';
import { type Database, KeyedLock } from '../../platform/index.ts';
import { freshToken } from '../ownership/index.ts';
import type { NodeTables, VolumeServerTable } from '../tables.ts';

interface Deps {
  database: Database<NodeTables>;
  network: Pick<Network, 'keepAddress' | 'highestAddress'>;
  /** Addresses that are somebody's. */
  taken(): Promise<ReadonlySet<string>>;
}

/** What volume servers are on walt-net. Each host keeps its address: nodes remember it. */
export class VolumeServerStore {
  readonly #deps: Deps;
  readonly #turns = new KeyedLock();
  readonly #rows = new Map<string, VolumeServerTable>();

  private constructor(deps: Deps) {
    this.#deps = deps;
  }

  static async open(deps: Deps): Promise<VolumeServerStore> {
    const store = new VolumeServerStore(deps);
    for (const row of await deps.database.selectFrom('volume_server').selectAll().execute()) store.#take(row);
    return store;
  }

  #take(row: VolumeServerTable): void {
    this.#rows.set(row.host, row);
    this.#deps.network.keepAddress(row.ip);
  }

  /** What the volume server of a host is; made when there is none. Throws UserError UNAVAILABLE when no address is free. */
  place(host: string): Promise<VolumeServerTable> {
    return this.#turns.hold('place', async () => {
      const known = this.#rows.get(host);
      if (known) return known;
      const { database, network, taken } = this.#deps;
      const row = { host, ip: network.highestAddress(await taken()), token: freshToken() };
      await database.insertInto('volume_server').values(row).execute();
      this.#take(row);
      return row;
    });
  }

  find(host: string): VolumeServerTable | undefined {
    return this.#rows.get(host);
  }

  byIp(ip: string): VolumeServerTable | undefined {
    return this.#rows.values().find((row) => row.ip === ip);
  }
}
