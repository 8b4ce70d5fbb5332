import { fullName, type NamedImage, PLATFORM_OWNER } from '@walt/contract';
import type { Database, Retention } from '../../platform/index.ts';
import { mayCollect } from '../../platform/index.ts';
import {
  type Bounds,
  type Item,
  NOTHING_USED,
  type Quotas,
  requireSomeLeft,
  requireWithin,
} from '../../space/index.ts';
import type { DigestRecord, ImageRecord } from '../types.ts';
import type { BootingNodes } from './booting-nodes.ts';
import {
  checkExpected,
  type Expected,
  fromRecord,
  history,
  type Move,
  movedMeanwhile,
  seconds,
  toRecord,
} from './catalogue-rows.ts';
import { claimLayers, type LayerRecord, type LayerSize, noteLayers, readLayers } from './layer-rows.ts';
import { findNeedless, forgetNeedless, type Keeping } from './needless.ts';
import { noSuchImage } from './no-such-image.ts';
import { pointer, setPointer } from './pointers.ts';
import { remove } from './remove.ts';
import { rename } from './rename.ts';
import { addSession, removeSession, type SessionRow } from './sessions.ts';
import { inheritSharing } from './sharing.ts';
import { imageSpace } from './space.ts';
import type { ImageTables } from './tables.ts';

/** What users' images may take. */
interface SpaceLimits {
  quotas: Quotas;
  retention: Retention;
}

/** Names and the digests that they point to. Each method is one transaction. */
export class Catalogue {
  readonly #database: Database<ImageTables>;
  readonly #nodes: BootingNodes;
  readonly #moved: () => void;
  readonly #limits: SpaceLimits | undefined;

  /** `moved` is called after each move of a name: what it left may be no longer needed. */
  constructor(
    database: Database<ImageTables>,
    nodes: BootingNodes,
    moved: () => void = () => {},
    limits?: SpaceLimits,
  ) {
    this.#database = database;
    this.#nodes = nodes;
    this.#moved = moved;
    this.#limits = limits;
  }

  /** False while nothing may be removed for the reason that no row names it. */
  mayCollect(): Promise<boolean> {
    return mayCollect(this.#database);
  }

  async list(owner?: string): Promise<ImageRecord[]> {
    let query = joined(this.#database);
    if (owner !== undefined) query = query.where('image.owner', '=', owner);
    const rows = await query.orderBy('image.owner').orderBy('image.name').execute();
    return rows.map((row) => ({ owner: row.owner, name: row.name, ...toRecord(row) }));
  }

  async find({ owner, name }: NamedImage): Promise<ImageRecord | undefined> {
    const row = await joined(this.#database)
      .where('image.owner', '=', owner)
      .where('image.name', '=', name)
      .executeTakeFirst();
    return row && { owner: row.owner, name: row.name, ...toRecord(row) };
  }

  /** Throws UserError NOT_FOUND, with near names, or other owners' images of that name, in the hint, if everybody may see them. */
  async get(image: NamedImage): Promise<ImageRecord> {
    const record = await this.find(image);
    if (record) return record;
    const hidden = await this.#database.selectFrom('image_sharing').select(['owner', 'name']).execute();
    const names = new Set(hidden.map(fullName));
    throw noSuchImage(
      image,
      (await this.list()).filter((one) => !names.has(fullName(one))),
    );
  }

  async digest(digest: string): Promise<DigestRecord | undefined> {
    const row = await this.#database
      .selectFrom('image_digest')
      .selectAll()
      .where('digest', '=', digest)
      .executeTakeFirst();
    return row && toRecord(row);
  }

  /** Before work for it begins: throws UserError CONFLICT when a name does not point to what is expected, FORBIDDEN as `requireSpace`. */
  async check(image: NamedImage, expected: Expected): Promise<void> {
    checkExpected(image, (await this.find(image))?.digest, expected);
    await this.requireSpace(image.owner);
  }

  /** Throws UserError FORBIDDEN when nothing is left of what the owner's images may take. */
  async requireSpace(owner: string): Promise<void> {
    const bounds = await this.#boundsOf(owner);
    if (bounds?.images) requireSomeLeft(owner, bounds, await this.#uses(this.#database, owner), 'images');
  }

  /** What an owner's images take on disk: see `imageSpace`. */
  async spaceOf(owner: string): Promise<Item[]> {
    return (await this.#uses(this.#database, owner)).images as Item[];
  }

  /** All who have images, or versions of some. */
  async owners(): Promise<string[]> {
    const rows = await this.#database.selectFrom('image_history').select('owner').distinct().execute();
    return rows.map(({ owner }) => owner);
  }

  /** Undefined: nobody counts. The platform has no quota. */
  async #boundsOf(owner: string): Promise<Bounds | undefined> {
    return owner === PLATFORM_OWNER ? undefined : await this.#limits?.quotas.of(owner);
  }

  async #uses(database: Database<ImageTables>, owner: string) {
    const retention = this.#limits?.retention ?? { versions: 0, days: 0 };
    return { ...NOTHING_USED, images: await imageSpace(database, owner, retention) };
  }

  /**
   * Points `owner/name` to an image, and, where given, ends the session that made it: all or nothing.
   * Throws UserError CONFLICT when the name does not point to what is expected, FORBIDDEN when its owner's images would take more than
   * they may.
   */
  async point(
    image: NamedImage,
    to: DigestRecord,
    expected: Expected,
    move: Move,
    session?: string,
  ): Promise<void> {
    const { owner } = image;
    // Programs are asked for the groups of a user: not while everybody waits for the database.
    const bounds = await this.#boundsOf(owner);
    await this.#database.transaction().execute(async (t) => {
      const now = seconds();
      const before = bounds?.images && (await this.#uses(t, owner));
      await t
        .insertInto('image_digest')
        .values(fromRecord(to))
        .onConflict((c) => c.doNothing())
        .execute();
      const current = await pointer(t, image);
      checkExpected(image, current, expected);
      if (current === undefined) await inheritSharing(t, image, move.from ?? []);
      await setPointer(t, image, to.digest, now);
      const added = await claimLayers(t, to.layers, move, now);
      if (current !== to.digest) {
        await t
          .insertInto('image_history')
          .values(history(image, to.digest, current ?? null, move, now, added))
          .execute();
      }
      if (session !== undefined) await removeSession(t, session);
      if (bounds && before) requireWithin(owner, bounds, before, await this.#uses(t, owner));
    });
    this.#moved();
  }

  /**
   * Points a name, which may have been removed, to a version that it had. Throws UserError CONFLICT unless it points to
   * `current` (null: it is absent) until then.
   */
  async back(image: NamedImage, to: DigestRecord, current: string | null, move: Move): Promise<void> {
    await this.#database.transaction().execute(async (t) => {
      const now = seconds();
      if (((await pointer(t, image)) ?? null) !== current) throw movedMeanwhile(image);
      await setPointer(t, image, to.digest, now);
      await t
        .insertInto('image_history')
        .values(history(image, to.digest, current, move, now))
        .execute();
    });
    this.#moved();
  }

  /** Replaces what is known of an image, by whatever names it goes. */
  async refresh(record: DigestRecord): Promise<void> {
    const { digest, ...values } = fromRecord(record);
    await this.#database.updateTable('image_digest').set(values).where('digest', '=', digest).execute();
  }

  /** Notes how large layers are. */
  noteLayers(sizes: readonly LayerSize[]): Promise<void> {
    return this.#database.transaction().execute((t) => noteLayers(t, sizes));
  }

  /** What is known of these layers, or of all, by diff ID. */
  layers(diffIds?: readonly string[]): Promise<Map<string, LayerRecord>> {
    return readLayers(this.#database, diffIds);
  }

  /** Diff IDs of all layers that other names' images have. */
  async layersOfOthers({ owner, name }: NamedImage): Promise<Set<string>> {
    const rows = await this.#database
      .selectFrom('image_digest')
      .innerJoin('image', 'image.digest', 'image_digest.digest')
      .select('image_digest.layers')
      .distinct()
      .where((where) => where.or([where('image.owner', '!=', owner), where('image.name', '!=', name)]))
      .execute();
    return new Set(rows.flatMap(({ layers }) => JSON.parse(layers) as string[]));
  }

  /**
   * Gives an image another name; the nodes that boot it and the sessions on it follow.
   * Throws UserError CONFLICT when that name is taken, NOT_FOUND when the image is gone.
   */
  async rename(image: NamedImage, newName: string, user: string): Promise<void> {
    await this.#database.transaction().execute((t) => rename(t, this.#nodes, image, newName, user));
  }

  /** Drops a name. Throws UserError CONFLICT while a node boots it or a session is open on it, NOT_FOUND when it is gone. */
  async remove(image: NamedImage, user: string): Promise<void> {
    await this.#database.transaction().execute((t) => remove(t, this.#nodes, image, user));
    this.#moved();
  }

  async sessions(): Promise<SessionRow[]> {
    return this.#database.selectFrom('shell_session').selectAll().orderBy('opened').orderBy('id').execute();
  }

  /** See `addSession`. */
  addSession(row: SessionRow): Promise<void> {
    return addSession(this.#database, row);
  }

  removeSession(id: string): Promise<void> {
    return removeSession(this.#database, id);
  }

  /** Digests that the name ever had and that are still there. */
  async kept({ owner, name }: NamedImage): Promise<Set<string>> {
    const rows = await this.#database
      .selectFrom('image_history')
      .innerJoin('image_digest', 'image_digest.digest', 'image_history.digest')
      .select('image_digest.digest')
      .distinct()
      .where('owner', '=', owner)
      .where('name', '=', name)
      .execute();
    return new Set(rows.map(({ digest }) => digest));
  }

  async digests(): Promise<DigestRecord[]> {
    return (await this.#database.selectFrom('image_digest').selectAll().execute()).map(toRecord);
  }

  /** Images whose nodes mount their tree. */
  async treeImages(): Promise<DigestRecord[]> {
    const rows = await this.#database
      .selectFrom('image_digest')
      .selectAll()
      .where('boot_plan', '=', 'nfs-root')
      .execute();
    return rows.map(toRecord);
  }

  /** See `findNeedless`. */
  needless(keep: ReadonlySet<string>, keeping: Keeping): ReturnType<typeof findNeedless> {
    return findNeedless(this.#database, this.#nodes, keep, keeping);
  }

  /** Forgets all digests that nobody needs (`findNeedless`), and what is to be given up, for good. Answers which. */
  forgetUnneeded(keep: ReadonlySet<string>, keeping: Keeping): Promise<DigestRecord[]> {
    return this.#database.transaction().execute((t) => forgetNeedless(t, this.#nodes, keep, keeping));
  }
}

function joined(database: Database<ImageTables>) {
  return database
    .selectFrom('image')
    .innerJoin('image_digest', 'image_digest.digest', 'image.digest')
    .selectAll('image_digest')
    .select(['image.owner', 'image.name']);
}
