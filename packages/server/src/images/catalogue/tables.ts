/** Tables of the catalogue, and the migrations that made them. */
import type { Generated, Kysely } from 'kysely';
import { sql } from 'kysely';
import { type TableSet, tablesOf } from '../../platform/index.ts';

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
  /** That of real nodes, where it is another one. */
  real_kernel: string | null;
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
  /** How, in a word: see `Move` in catalogue-rows.ts. */
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

/** An image that not everybody may see. */
export interface ImageSharingTable {
  owner: string;
  name: string;
  /** JSON array: logins, and groups with `@` in front; empty: nobody but its owner. */
  guests: string;
}

/** What the bytes of a volume are. */
export interface VolumeDigestTable {
  /** Of its file. */
  name: string;
  /** What told that file from any other when its bytes were read. */
  file: string;
  /** Of its bytes, and of its hash tree behind them; 64 hexadecimal digits. */
  sha256: string;
  /** Of the tree; 64 hexadecimal digits. */
  root: string;
}

export interface ImageTables {
  image: ImageTable;
  image_sharing: ImageSharingTable;
  image_digest: ImageDigestTable;
  image_history: ImageHistoryTable;
  image_layer: ImageLayerTable;
  shell_session: ShellSessionTable;
  volume_digest: VolumeDigestTable;
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
  const tables = tablesOf<ImageTables>(db);
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
  const tables = tablesOf<ImageTables>(db);
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

async function realKernel(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('image_digest').addColumn('real_kernel', 'text').execute();
}

async function sharing(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('image_sharing')
    .addColumn('owner', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('guests', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('image_sharing_key', ['owner', 'name'])
    .execute();
}

async function volumeDigests(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('volume_digest')
    .addColumn('name', 'text', (c) => c.primaryKey())
    .addColumn('file', 'text', (c) => c.notNull())
    .addColumn('sha256', 'text', (c) => c.notNull())
    .execute();
}

/** What was noted is read again: copies have their hash tree behind them now. */
async function volumeTrees(db: Kysely<unknown>): Promise<void> {
  await sql`delete from volume_digest`.execute(db);
  await db.schema
    .alterTable('volume_digest')
    .addColumn('root', 'text', (c) => c.notNull().defaultTo(''))
    .execute();
}

export const imageTables: TableSet<ImageTables> = {
  migrations: {
    '0001-first': first,
    '0013-lends': lends,
    '0014-layers': layers,
    '0015-renames': renames,
    '0019-given-up': givenUp,
    '0071-real-kernel': realKernel,
    '0136-image-sharing': sharing,
    '0151-volume-digests': volumeDigests,
    '0195-volume-trees': volumeTrees,
  },
  counted: { images: 'image' },
};
