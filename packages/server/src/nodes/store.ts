import type { BootCause } from '@walt/contract';
import { isSettingName, PLATFORM_OWNER, type SettingName } from '@walt/contract';
import { sql } from 'kysely';
import { imagePointers } from '../images/index.ts';
import { type Database, type GroupedWrites, groupedWrites, whileUnwritten } from '../platform/index.ts';
import { BootHistory } from './history/index.ts';
import { forgetAdmitted, freshToken } from './ownership/index.ts';
import type { NodeTable, NodeTables } from './tables.ts';

/** A node with what its image's name points to now; digest and plan are null when the image is gone or cannot boot. */
export type NodeRow = Omit<NodeTable, 'id' | 'settings'> & {
  id: number;
  settings: NodeSettings;
  digest: string | null;
  boot_plan: string | null;
  /** Owner of the boot that was served last; null before the first one. */
  boot_owner: string | null;
};

/** A node, as its agent must be known. */
export type AgentRow = Pick<
  NodeRow,
  | 'id'
  | 'mac'
  | 'token'
  | 'generation'
  | 'served_generation'
  | 'served_at'
  | 'booted_at'
  | 'boot_mode'
  | 'hybrid_disk'
>;

/** What is set; the rest is as NODE_SETTINGS says. */
export type NodeSettings = Readonly<Partial<Record<SettingName, string>>>;

/** Null: no longer set. */
export type SettingChanges = Readonly<Partial<Record<SettingName, string | null>>>;

export type NewNode = Pick<
  NodeTable,
  'mac' | 'name' | 'ip' | 'type' | 'model' | 'architecture' | 'image_owner' | 'image_name'
> & { settings?: NodeSettings };

/** Gets all nodes; nobody else changes what is chosen of them until it has not thrown, and that is written. */
type Check = (nodes: readonly NodeRow[]) => void | Promise<void>;

export interface BootOrder {
  ids: readonly number[];
  image?: { owner: string; name: string };
  hard: boolean;
  cause: BootCause;
  /** Who orders it; null: no user. */
  user: string | null;
}

/** Rows of nodes and of their /persist folders. Knows nothing of rules. */
export class NodeStore {
  readonly boots: BootHistory;
  /** All, by id. Shared by who asks: there may be thousands, of which each listing and each pass of the reconciler wants to know. */
  readonly all: () => Promise<readonly NodeRow[]>;
  readonly #database: Database<NodeTables>;
  readonly #grouped: GroupedWrites<NodeTables>;
  /** What does not change while nothing of nodes is written: thousands of agents ask several times a minute. */
  readonly #agents = new Map<string, AgentRow>();
  #writes = 0;
  #choices: Promise<unknown> = Promise.resolve();

  constructor(database: Database<NodeTables>) {
    this.#database = database;
    this.#grouped = groupedWrites(database);
    this.boots = new BootHistory(database, this.#grouped);
    this.all = whileUnwritten(database, async () => {
      const rows = await this.#query().orderBy('node.id').execute();
      return rows.map(typed);
    });
  }

  async byId(id: number): Promise<NodeRow | undefined> {
    const row = await this.#query().where('node.id', '=', id).executeTakeFirst();
    return row && typed(row);
  }

  async byIds(ids: readonly number[]): Promise<NodeRow[]> {
    const rows = await this.#query().where('node.id', 'in', ids).orderBy('node.id').execute();
    return rows.map(typed);
  }

  async byName(name: string): Promise<NodeRow | undefined> {
    const row = await this.#query().where('node.name', '=', name).executeTakeFirst();
    return row && typed(row);
  }

  async byIp(ip: string): Promise<NodeRow | undefined> {
    const row = await this.#query().where('node.ip', '=', ip).executeTakeFirst();
    return row && typed(row);
  }

  /** What is to be known of a node whose agent asks. */
  async agentAt(ip: string): Promise<AgentRow | undefined> {
    const known = this.#agents.get(ip);
    if (known) return known;
    const writes = this.#writes;
    const row = await this.#database
      .selectFrom('node')
      .select(['id', 'mac', 'token', 'generation', 'served_generation', 'served_at', 'booted_at'])
      .select(['boot_mode', 'hybrid_disk'])
      .where('ip', '=', ip)
      .executeTakeFirst();
    // What was written meanwhile may not be in it.
    if (row && writes === this.#writes) this.#agents.set(ip, row);
    return row;
  }

  async byMac(mac: string): Promise<NodeRow | undefined> {
    const row = await this.#query().where('node.mac', '=', mac).executeTakeFirst();
    return row && typed(row);
  }

  /**
   * Adds the node that `choose` describes, given those that are there; answers its id. One at a time, so that what
   * `choose` finds free (a name, an address) still is when the row is written. Undefined: `choose` wants none. `user`: who makes it;
   * null: it came by itself.
   */
  register<Choice extends NewNode | undefined>(
    choose: (nodes: readonly NodeRow[]) => Promise<Choice>,
    user?: string | null,
  ): Promise<Choice extends NewNode ? number : undefined>;
  register(
    choose: (nodes: readonly NodeRow[]) => Promise<NewNode | undefined>,
    user: string | null = null,
  ): Promise<number | undefined> {
    return this.#inTurn(async () => {
      const node = await choose(await this.all());
      return node && this.#insert(node, user);
    });
  }

  /** What is chosen by the rows that are there: nobody else chooses meanwhile. */
  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#choices.then(action);
    this.#choices = result.catch(() => undefined);
    return result;
  }

  #insert({ settings = {}, ...node }: NewNode, user: string | null): Promise<number> {
    const rest = { generation: 1, hard: 0, token: freshToken(), created: now(), made_by: user };
    return this.#database.transaction().execute(async (transaction) => {
      const { id } = await transaction
        .insertInto('node')
        .values({ ...node, settings: JSON.stringify(settings), ...rest })
        .returning('id')
        .executeTakeFirstOrThrow();
      if (user !== null) await this.boots.expect(transaction, [id], { cause: 'create', user });
      return id;
    });
  }

  /** If `check` lets it, as in `configure`. What is stored of them elsewhere is deleted later: until then, `removed` tells their ids. */
  remove(ids: readonly number[], check?: Check): Promise<void> {
    return this.#inTurn(async () => {
      await check?.(await this.all());
      await this.#write(async (transaction) => {
        const found = await transaction.deleteFrom('node').where('id', 'in', ids).returning('id').execute();
        if (found.length > 0) await transaction.insertInto('removed_node').values(found).execute();
      });
    });
  }

  /** Ids of removed nodes, of which something may still be stored. */
  async removed(): Promise<number[]> {
    const rows = await this.#database.selectFrom('removed_node').select('id').orderBy('id').execute();
    return rows.map(({ id }) => id);
  }

  async noteForgotten(id: number): Promise<void> {
    await this.#database.deleteFrom('removed_node').where('id', '=', id).execute();
  }

  /** If `check` lets it, as in `configure`. */
  rename(id: number, name: string, check?: Check): Promise<void> {
    return this.#inTurn(async () => {
      await check?.(await this.all());
      await this.#database.updateTable('node').set({ name }).where('id', '=', id).execute();
    });
  }

  /**
   * In one transaction, if `check` lets it: it sees all nodes, as they are until this is written. `hardware`: what the nodes are from
   * now on, and what those boot then that nobody owns.
   */
  configure(
    ids: readonly number[],
    changes: SettingChanges,
    {
      hardware,
      check,
    }: {
      hardware?: (Pick<NodeRow, 'model' | 'architecture'> & { image: string | undefined }) | undefined;
      check?: Check;
    } = {},
  ): Promise<void> {
    // RFC 7396: null takes a member away.
    const settings = sql<string>`json_patch(settings, ${JSON.stringify(changes)})`;
    const { image, ...kind } = hardware ?? { image: undefined };
    return this.#inTurn(async () => {
      await check?.(await this.all());
      await this.#database.transaction().execute(async (transaction) => {
        await transaction
          .updateTable('node')
          .set({ settings, ...kind })
          .where('id', 'in', ids)
          .execute();
        if (image === undefined) return;
        await transaction
          .updateTable('node')
          .set({ image_name: image })
          .where('id', 'in', ids)
          .where('image_owner', '=', PLATFORM_OWNER)
          .execute();
      });
    });
  }

  /**
   * In one transaction: what the nodes boot from now on (if given), and the orders to reboot. If `check` lets it: it sees all nodes,
   * as they are until this is written.
   */
  orderBoots(orders: readonly BootOrder[], check?: Check): Promise<void> {
    return this.#inTurn(async () => {
      await check?.(await this.all());
      await this.#write(async (transaction) => {
        for (const { ids, image, hard, ...order } of orders) {
          if (image) await forgetAdmitted(transaction, ids, image.owner);
          await transaction
            .updateTable('node')
            .set((eb) => ({
              generation: eb('generation', '+', 1),
              hard: hard ? 1 : 0,
              ordered_at: Date.now() / 1000,
              ...(image && { image_owner: image.owner, image_name: image.name }),
            }))
            .where('id', 'in', ids)
            .execute();
          await this.boots.expect(transaction, ids, order);
        }
      });
    });
  }

  /** Notes what a node was just given to boot, and the token that its agent shows from now on. */
  async noteServed(
    { id, mac, image_owner, image_name }: Pick<NodeRow, 'id' | 'mac' | 'image_owner' | 'image_name'>,
    served: {
      generation: number;
      digest: string;
      persist: number;
      mounts: boolean;
      token: string;
      cycle: string | null;
      /** As in the row; default: none. */
      served_volumes?: string | null;
      way?: 'firmware' | 'kexec';
    },
  ): Promise<void> {
    const { generation, digest, way } = served;
    await this.#write(async (transaction) => {
      const { numUpdatedRows } = await transaction
        .updateTable('node')
        .set({
          served_generation: generation,
          served_digest: digest,
          served_persist: served.persist,
          served_mounts: served.mounts ? 1 : 0,
          token: served.token,
          served_cycle: served.cycle,
          served_volumes: served.served_volumes ?? null,
          served_at: now(),
          booted_at: null,
          boot_mode: null,
        })
        .where('id', '=', id)
        .executeTakeFirst();
      // It was removed just now.
      if (numUpdatedRows === 0n) return;
      const image = `${image_owner}/${image_name}`;
      await this.boots.begin(transaction, { node: id, mac, generation, image, digest }, way);
    });
  }

  async noteBooted(id: number): Promise<void> {
    await this.#write(async (transaction) => {
      await transaction.updateTable('node').set({ booted_at: now() }).where('id', '=', id).execute();
      await this.boots.booted(transaction, id);
    });
    this.boots.emit('change');
  }

  /** Notes what a node tells of its boot and of its disk for hybrid boots. */
  async noteDisk(id: number, told: Pick<NodeTable, 'boot_mode' | 'hybrid_disk'>): Promise<void> {
    await this.#write(async (transaction) => {
      await transaction.updateTable('node').set(told).where('id', '=', id).execute();
    });
  }

  /** Id of the /persist folder of a node under an owner; made when there is none. */
  async persistFolder(node: number, owner: string): Promise<number> {
    const find = (database: Database<NodeTables>) =>
      database
        .selectFrom('persist_folder')
        .select('id')
        .where('node', '=', node)
        .where('owner', '=', owner)
        .executeTakeFirst();
    // Each boot asks: what is there is not written again, which would wait for the disk.
    const known = await find(this.#database);
    if (known) return known.id;
    return await this.#grouped(async (transaction) => {
      const { id } =
        (await find(transaction)) ??
        (await transaction
          .insertInto('persist_folder')
          .values({ node, owner })
          .returning('id')
          .executeTakeFirstOrThrow());
      return id;
    });
  }

  persistFolders(): Promise<{ id: number; node: number; owner: string }[]> {
    return this.#database.selectFrom('persist_folder').selectAll().orderBy('id').execute();
  }

  /** A transaction that may change what is to be known of agents. */
  async #write(action: (transaction: Database<NodeTables>) => Promise<void>): Promise<void> {
    try {
      await this.#grouped(action);
    } finally {
      this.#writes += 1;
      this.#agents.clear();
    }
  }

  #query() {
    return this.#database
      .selectFrom('node')
      .leftJoin(imagePointers(), (join) =>
        join.onRef('image.owner', '=', 'node.image_owner').onRef('image.name', '=', 'node.image_name'),
      )
      .leftJoin('persist_folder', 'persist_folder.id', 'node.served_persist')
      .selectAll('node')
      .select([
        'image.digest as digest',
        'image.boot_plan as boot_plan',
        'persist_folder.owner as boot_owner',
      ]);
  }
}

/** In place: to copy a row of SQLite takes longer than to read it, and there may be thousands. */
function typed<T extends { settings: string }>(row: T) {
  const rest: Omit<T, 'settings'> = row;
  return Object.assign(rest, { settings: settingsOf(row.settings) });
}

const NOTHING_SET: NodeSettings = {};

function settingsOf(text: string): NodeSettings {
  // Of most nodes: all are read in each pass of the reconciler.
  if (text === '{}') return NOTHING_SET;
  const set = Object.entries<string>(JSON.parse(text));
  // One that a newer server knows stays in the database.
  return Object.fromEntries(set.filter(([name]) => isSettingName(name)));
}

/** Unix time in whole seconds. */
export function now(): number {
  return Math.floor(Date.now() / 1000);
}
