/** Tables of the database, and the migrations that made them. Types are portable: text and integers only. */
import { randomBytes } from 'node:crypto';
import type { Generated, Kysely } from 'kysely';
import { sql } from 'kysely';
import type { Migration } from 'kysely/migration';

/** A name in somebody's set, and the digest that it points to. */
export interface ImageTable {
  owner: string;
  name: string;
  digest: string;
  /** Unix time in seconds of the last move of the pointer. */
  changed: number;
}

/** What is known of an image, whatever it is called. */
export interface ImageDigestTable {
  digest: string;
  architecture: string;
  /** Unix time in seconds. */
  created: number;
  /** Bytes, unpacked. */
  size: number;
  /** JSON array of diff IDs, bottom first. */
  layers: string;
  kernel: string | null;
  boot_plan: string | null;
  /** JSON array. */
  models: string;
  /** JSON array: what it lacks, which nodes get from the platform. */
  lends: string;
}

/** Every move of a name. */
export interface ImageHistoryTable {
  id: Generated<number>;
  owner: string;
  name: string;
  /** Null: the name was removed. */
  digest: string | null;
  previous: string | null;
  /** Unix time in seconds. */
  at: number;
  user: string;
  /** How, in a word: see `Move` in images/catalogue/catalogue-rows.ts. */
  action: string;
  detail: string;
  /** Bytes, unpacked, of the layers that came with it; null: not known. */
  added: number | null;
  /** 1: what it left, and what came before it, was given up. */
  given_up: Generated<number>;
}

/** What is known of a layer, whatever images have it. */
export interface ImageLayerTable {
  diff_id: string;
  /** Bytes, unpacked; null: not known. */
  size: number | null;
  /** Bytes of its volume. */
  volume: number | null;
  /** The move of a name with which it came; null before that, empty: not known. */
  action: string | null;
  user: string | null;
  at: number | null;
  detail: string | null;
}

export interface ShellSessionTable {
  /** 16 hexadecimal digits. */
  id: string;
  user: string;
  owner: string;
  name: string;
  /** What the name pointed to when the session began. */
  digest: string;
  /** podman's container name. */
  container: string;
  opened: number;
}

export interface NodeTable {
  id: Generated<number>;
  mac: string;
  name: string;
  ip: string;
  /** `virtual` or `physical`. */
  type: string;
  model: string;
  architecture: string;
  image_owner: string;
  image_name: string;
  /** Number of the boot that should run. Raised by each order to reboot. */
  generation: number;
  /** 1: the generation is to be reached by a power cycle, without asking the node. */
  hard: number;
  cpu_cores: number | null;
  ram_mib: number | null;
  /** Secret by which the node's agent proves which node it is. */
  token: string;
  created: number;
  /** Generation and digest of the last boot that was served; null before the first. */
  served_generation: number | null;
  served_digest: string | null;
  /** Folder that this boot has as /persist. */
  served_persist: number | null;
  /** Of a virtual node: in which power cycle of its machine. */
  served_cycle: string | null;
  /** Unix time in seconds when `served_generation` was handed out. */
  served_at: number | null;
  /** Unix time in seconds when that boot reported to be up; null while it has not. */
  booted_at: number | null;
}

/** What a node of one owner sees as /persist. Its id names the NFS export. */
export interface PersistFolderTable {
  id: Generated<number>;
  node: number;
  owner: string;
}

/** A node that was removed, as long as something of it may be stored outside the database. */
export interface RemovedNodeTable {
  id: number;
}

/** One row: which platform this is. */
export interface PlatformTable {
  /** 32 hexadecimal digits, also in `paths.identity`: a database that does not fit its state folder is refused. */
  id: string;
  /** Unix time in seconds. */
  created: number;
  /** Unix time in seconds before which nothing is deleted because no row names it. */
  collect_after: number;
}

export interface TokenTable {
  /** SHA-256 of the token. */
  hash: string;
  uid: number;
  user: string;
  /** Unix time in seconds. */
  expires: number;
}

export interface Schema {
  platform: PlatformTable;
  image: ImageTable;
  image_digest: ImageDigestTable;
  image_history: ImageHistoryTable;
  image_layer: ImageLayerTable;
  shell_session: ShellSessionTable;
  node: NodeTable;
  persist_folder: PersistFolderTable;
  removed_node: RemovedNodeTable;
  token: TokenTable;
}

async function first(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('image_digest')
    .addColumn('digest', 'text', (c) => c.primaryKey())
    .addColumn('architecture', 'text', (c) => c.notNull())
    .addColumn('created', 'integer', (c) => c.notNull())
    .addColumn('size', 'bigint', (c) => c.notNull())
    .addColumn('layers', 'text', (c) => c.notNull())
    .addColumn('kernel', 'text')
    .addColumn('boot_plan', 'text')
    .addColumn('models', 'text', (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('image')
    .addColumn('owner', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('digest', 'text', (c) => c.notNull().references('image_digest.digest'))
    .addColumn('changed', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('image_key', ['owner', 'name'])
    .execute();
  await db.schema
    .createTable('image_history')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('owner', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('digest', 'text')
    .addColumn('previous', 'text')
    .addColumn('at', 'integer', (c) => c.notNull())
    .addColumn('user', 'text', (c) => c.notNull())
    .addColumn('action', 'text', (c) => c.notNull())
    .addColumn('detail', 'text', (c) => c.notNull().defaultTo(sql`''`))
    .execute();
  await db.schema
    .createTable('shell_session')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('user', 'text', (c) => c.notNull())
    .addColumn('owner', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('digest', 'text', (c) => c.notNull())
    .addColumn('container', 'text', (c) => c.notNull())
    .addColumn('opened', 'integer', (c) => c.notNull())
    .addUniqueConstraint('shell_session_one_per_image', ['user', 'owner', 'name'])
    .execute();
  await db.schema
    .createTable('node')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('mac', 'text', (c) => c.notNull().unique())
    .addColumn('name', 'text', (c) => c.notNull().unique())
    .addColumn('ip', 'text', (c) => c.notNull().unique())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('model', 'text', (c) => c.notNull())
    .addColumn('architecture', 'text', (c) => c.notNull())
    .addColumn('image_owner', 'text', (c) => c.notNull())
    .addColumn('image_name', 'text', (c) => c.notNull())
    .addColumn('generation', 'integer', (c) => c.notNull().defaultTo(1))
    .addColumn('hard', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('cpu_cores', 'integer')
    .addColumn('ram_mib', 'integer')
    .addColumn('token', 'text', (c) => c.notNull())
    .addColumn('created', 'integer', (c) => c.notNull())
    .addColumn('served_generation', 'integer')
    .addColumn('served_digest', 'text')
    .addColumn('served_persist', 'integer')
    .addColumn('served_at', 'integer')
    .addColumn('booted_at', 'integer')
    .execute();
  await db.schema
    .createTable('persist_folder')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('node', 'integer', (c) => c.notNull().references('node.id').onDelete('cascade'))
    .addColumn('owner', 'text', (c) => c.notNull())
    .addUniqueConstraint('persist_folder_one_per_owner', ['node', 'owner'])
    .execute();
  await db.schema
    .createTable('token')
    .addColumn('hash', 'text', (c) => c.primaryKey())
    .addColumn('uid', 'integer', (c) => c.notNull())
    .addColumn('user', 'text', (c) => c.notNull())
    .addColumn('expires', 'integer', (c) => c.notNull())
    .execute();
}

async function lends(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('image_digest')
    .addColumn('lends', 'text', (c) => c.notNull().defaultTo('[]'))
    .execute();
}

async function layers(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('image_history').addColumn('added', 'bigint').execute();
  await db.schema
    .createTable('image_layer')
    .addColumn('diff_id', 'text', (c) => c.primaryKey())
    .addColumn('size', 'bigint')
    .addColumn('volume', 'bigint')
    .addColumn('action', 'text')
    .addColumn('user', 'text')
    .addColumn('at', 'integer')
    .addColumn('detail', 'text')
    .execute();
  const tables = db as Kysely<Schema>;
  const images = await tables.selectFrom('image_digest').select('layers').execute();
  for (const diffId of new Set(images.flatMap((image) => JSON.parse(image.layers) as string[]))) {
    const unknown = { size: null, volume: null, user: null, at: null, detail: null };
    await tables
      .insertInto('image_layer')
      .values({ diff_id: diffId, action: '', ...unknown })
      .execute();
  }
}

/** A rename wrote two steps, one under each name, and left the history before it under the old one. */
async function renames(db: Kysely<unknown>): Promise<void> {
  const tables = db as Kysely<Schema>;
  const steps = await tables
    .selectFrom('image_history')
    .selectAll()
    .where('action', '=', 'rename')
    .orderBy('id')
    .execute();
  for (const [index, from] of steps.entries()) {
    const to = steps[index + 1];
    if (from.digest !== null || !to || to.owner !== from.owner || to.digest !== from.previous) continue;
    await tables.deleteFrom('image_history').where('id', '=', from.id).execute();
    await tables
      .updateTable('image_history')
      .set({ name: to.name })
      .where('owner', '=', from.owner)
      .where('name', '=', from.name)
      .where('id', '<', from.id)
      .execute();
    await tables
      .updateTable('image_history')
      .set({ previous: from.previous })
      .where('id', '=', to.id)
      .execute();
  }
}

async function givenUp(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('image_history')
    .addColumn('given_up', 'integer', (c) => c.notNull().defaultTo(0))
    .execute();
  await db.schema.createIndex('image_history_name').on('image_history').columns(['owner', 'name']).execute();
}

async function removedNodes(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('removed_node')
    .addColumn('id', 'integer', (c) => c.primaryKey())
    .execute();
}

async function platform(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('platform')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('created', 'integer', (c) => c.notNull())
    .addColumn('collect_after', 'integer', (c) => c.notNull().defaultTo(0))
    .execute();
  const row = {
    id: randomBytes(16).toString('hex'),
    created: Math.floor(Date.now() / 1000),
    collect_after: 0,
  };
  await (db as Kysely<Schema>).insertInto('platform').values(row).execute();
}

/**
 * Nodes that an older server has served hold files of exports that are no more (upgrade/): each boots once more, as after an order
 * of its user.
 */
async function ownFileSystems(db: Kysely<unknown>): Promise<void> {
  await (db as Kysely<Schema>)
    .updateTable('node')
    .set((eb) => ({ generation: eb('generation', '+', 1) }))
    .where('served_generation', 'is not', null)
    .execute();
}

async function servedCycle(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('node').addColumn('served_cycle', 'text').execute();
}

/** By name, in order. A migration that was released is never edited: a later one changes what it made. */
export const migrations: Record<string, Migration> = {
  '0001-first': { up: first },
  '0013-lends': { up: lends },
  '0014-layers': { up: layers },
  '0015-renames': { up: renames },
  '0019-given-up': { up: givenUp },
  '0020-removed-nodes': { up: removedNodes },
  '0040-platform': { up: platform },
  '0047-own-file-systems': { up: ownFileSystems },
  '0049-served-cycle': { up: servedCycle },
};
