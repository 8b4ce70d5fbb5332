/** Tables of nodes, and the migrations that made them. */
import type { Architecture, BootMode, DiskState } from '@walt/contract';
import { type Generated, type Kysely, sql } from 'kysely';
import { type TableSet, tablesOf } from '../platform/index.ts';

export interface NodeTable {
  id: Generated<number>;
  mac: string;
  name: string;
  ip: string;
  /** `virtual` or `physical`. */
  type: string;
  model: string;
  architecture: Architecture;
  image_owner: string;
  image_name: string;
  /** Number of the boot that should run. Raised by each order to reboot. */
  generation: number;
  /** 1: the generation is to be reached by a power cycle, without asking the node. */
  hard: number;
  /** Secret by which the node's agent proves which node it is. */
  token: string;
  created: number;
  /** Generation and digest of the last boot that was served; null before the first. */
  served_generation: number | null;
  served_digest: string | null;
  /** Folder of this boot's owner for /persist. */
  served_persist: number | null;
  /** 0: this boot does not mount it. */
  served_mounts: number | null;
  /** Of a virtual node: in which power cycle of its machine. */
  served_cycle: string | null;
  /** Unix time in seconds when `served_generation` was handed out. */
  served_at: number | null;
  /** Unix time in seconds when that boot reported to be up; null while it has not. */
  booted_at: number | null;
  /** What is set of NODE_SETTINGS, as a JSON object; what is not set is absent. */
  settings: Generated<string>;
  /** Unix time in seconds, with fractions, when the last reboot was ordered; null: before that was noted, or never. */
  ordered_at: number | null;
  /** How the boot that runs came to its files; null: it has not told. */
  boot_mode: BootMode | null;
  /** What it told last of its disk for hybrid boots; null: it told of none. */
  hybrid_disk: Exclude<DiskState, 'none'> | null;
  /** Who made a virtual node; null: not known, or it came by itself. */
  made_by: string | null;
  /** What the boot mounts from a host's volume server, as a JSON object; null: nothing. */
  served_volumes: string | null;
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

/** A boot of a node: one that was ordered and has not begun, or one that was served. The newest of a node is the one that counts. */
export interface NodeBootTable {
  id: Generated<number>;
  node: number;
  generation: number;
  /** BOOT_CAUSES. */
  cause: string;
  /** Who ordered it. */
  user: string | null;
  attempt: number;
  /** Unix time in seconds, with fractions: when it was ordered, or seen first. */
  began: number;
  /** `owner/name`, and digest; null until it is served. */
  image: string | null;
  digest: string | null;
  /** Digests of what else was loaded. */
  kernel: string | null;
  initramfs: string | null;
  platform: string | null;
  /** JSON object of Unix times in seconds, with fractions, by BOOT_STEPS, and `left`. */
  steps: string;
  /** JSON object, as the contract has it; null: nothing is known to have failed. */
  failure: string | null;
  /** Why it did not begin by kexec; null: it did, or that was not tried. */
  no_kexec: string | null;
}

/** Whom the owner of a node lets use it: a login, or `@` and a group. */
export interface NodeGuestTable {
  node: number;
  guest: string;
}

/** What serves copies of volumes on a host. */
export interface VolumeServerTable {
  host: string;
  /** On walt-net. */
  ip: string;
  /** Secret by which it proves what it is. */
  token: string;
}

export interface NodeTables {
  node: NodeTable;
  persist_folder: PersistFolderTable;
  removed_node: RemovedNodeTable;
  node_boot: NodeBootTable;
  node_guest: NodeGuestTable;
  volume_server: VolumeServerTable;
}

async function first(db: Kysely<unknown>): Promise<void> {
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
}

async function removedNodes(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('removed_node')
    .addColumn('id', 'integer', (c) => c.primaryKey())
    .execute();
}

/**
 * Nodes that an older server has served hold files of exports that are no more (upgrade/): each boots once more, as after an order
 * of its user.
 */
async function ownFileSystems(db: Kysely<unknown>): Promise<void> {
  await tablesOf<NodeTables>(db)
    .updateTable('node')
    .set((eb) => ({ generation: eb('generation', '+', 1) }))
    .where('served_generation', 'is not', null)
    .execute();
}

async function servedCycle(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('node').addColumn('served_cycle', 'text').execute();
}

async function settings(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('node')
    .addColumn('settings', 'text', (c) => c.notNull().defaultTo('{}'))
    .execute();
}

async function orderedAt(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('node').addColumn('ordered_at', 'real').execute();
}

async function boots(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('node_boot')
    .addColumn('id', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('node', 'integer', (c) => c.notNull().references('node.id').onDelete('cascade'))
    .addColumn('generation', 'integer', (c) => c.notNull())
    .addColumn('cause', 'text', (c) => c.notNull())
    .addColumn('user', 'text')
    .addColumn('attempt', 'integer', (c) => c.notNull())
    .addColumn('began', 'real', (c) => c.notNull())
    .addColumn('image', 'text')
    .addColumn('digest', 'text')
    .addColumn('kernel', 'text')
    .addColumn('initramfs', 'text')
    .addColumn('platform', 'text')
    .addColumn('steps', 'text', (c) => c.notNull())
    .addColumn('failure', 'text')
    .execute();
  await db.schema.createIndex('node_boot_by_node').on('node_boot').columns(['node', 'id']).execute();
}

/** Settings as `walt node config` shows them; what is as by default is not set. */
async function machineSettings(db: Kysely<unknown>): Promise<void> {
  const set = (column: string, setting: string, value: string, fallback: number) =>
    sql.raw(
      `update node set settings = json_set(settings, '$."${setting}"', ${value}) ` +
        `where type = 'virtual' and ${column} <> ${fallback}`,
    );
  await set('cpu_cores', 'cpu.cores', 'cast(cpu_cores as text)', 2).execute(db);
  await set('ram_mib', 'ram', "ram_mib || 'M'", 1024).execute(db);
  await db.schema.alterTable('node').dropColumn('cpu_cores').execute();
  await db.schema.alterTable('node').dropColumn('ram_mib').execute();
  await db.schema.alterTable('node').addColumn('served_mounts', 'integer').execute();
}

async function hybridDisk(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('node').addColumn('boot_mode', 'text').execute();
  await db.schema.alterTable('node').addColumn('hybrid_disk', 'text').execute();
}

/** What the history of boots still tells of nodes that are there. */
async function madeBy(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('node').addColumn('made_by', 'text').execute();
  await sql`update node set made_by = (
    select user from node_boot where node_boot.node = node.id and cause = 'create' order by id limit 1)`.execute(
    db,
  );
}

async function noKexec(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('node_boot').addColumn('no_kexec', 'text').execute();
}

async function nodeGuests(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('node_guest')
    .addColumn('node', 'integer', (c) => c.notNull().references('node.id').onDelete('cascade'))
    .addColumn('guest', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('node_guest_key', ['node', 'guest'])
    .execute();
}

async function volumeServers(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('node').addColumn('served_volumes', 'text').execute();
  await db.schema
    .createTable('volume_server')
    .addColumn('host', 'text', (c) => c.primaryKey())
    .addColumn('ip', 'text', (c) => c.notNull().unique())
    .addColumn('token', 'text', (c) => c.notNull())
    .execute();
}

export const nodeTables: TableSet<NodeTables> = {
  migrations: {
    '0001-first': first,
    '0020-removed-nodes': removedNodes,
    '0047-own-file-systems': ownFileSystems,
    '0049-served-cycle': servedCycle,
    '0058-node-settings': settings,
    '0059-ordered-at': orderedAt,
    '0065-node-boots': boots,
    '0103-machine-settings': machineSettings,
    '0120-hybrid-disk': hybridDisk,
    '0135-node-guests': nodeGuests,
    '0140-made-by': madeBy,
    '0150-volume-servers': volumeServers,
    '0160-no-kexec': noKexec,
  },
  counted: { nodes: 'node' },
  // Folders, keys, exports.
  numbering: ['node', 'persist_folder'],
};
