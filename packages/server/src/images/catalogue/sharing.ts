/** Who may see images. Those that everybody may see have no row. */
import { fullName, type ImageVisibility, type NamedImage } from '@walt/contract';
import { type Caller, demand, type Guests, type GuestWord, isAllowed } from '../../access/index.ts';
import type { Database } from '../../platform/index.ts';
import type { ImageTables } from './tables.ts';

/** Whom its owner lets see an image and use it; undefined: everybody. */
export type SharedWith = readonly GuestWord[] | undefined;

/** Asks who may see images (row `image.see` of the policy), and says so. A name that is removed stays as hidden as it was. */
export class ImageSharing {
  readonly #database: Database<ImageTables>;
  readonly #guests: Pick<Guests, 'include'>;

  constructor(database: Database<ImageTables>, guests: Pick<Guests, 'include'>) {
    this.#database = database;
    this.#guests = guests;
  }

  /** Of those that are not everybody's to see, by `owner/name`. */
  async all(): Promise<ReadonlyMap<string, readonly GuestWord[]>> {
    const rows = await this.#database.selectFrom('image_sharing').selectAll().execute();
    return new Map(rows.map((row) => [fullName(row), JSON.parse(row.guests) as GuestWord[]]));
  }

  async of(image: NamedImage): Promise<SharedWith> {
    return await sharingOf(this.#database, image);
  }

  /** Those that the caller may see. */
  async seen<Image extends NamedImage>(caller: Caller, images: readonly Image[]): Promise<Image[]> {
    const all = await this.all();
    const seen = await Promise.all(
      images.map((image) => this.#isSeen(caller, image, all.get(fullName(image)))),
    );
    return images.filter((_, index) => seen[index]);
  }

  async isSeen(caller: Caller, image: NamedImage): Promise<boolean> {
    return await this.#isSeen(caller, image, await this.of(image));
  }

  /** Throws UserError NOT_FOUND, as if it were not there. */
  async require(caller: Caller, image: NamedImage): Promise<void> {
    if (!(await this.isSeen(caller, image))) demand('image.see', caller, { ...image, hidden: true });
  }

  async set(image: NamedImage, sharedWith: SharedWith): Promise<void> {
    await setSharing(this.#database, image, sharedWith);
  }

  async #isSeen(caller: Caller, image: NamedImage, sharedWith: SharedWith): Promise<boolean> {
    const { owner, name } = image;
    const about = { owner, name, hidden: sharedWith !== undefined };
    // Groups are asked only where they decide.
    if (sharedWith === undefined || isAllowed('image.see', caller, about)) return true;
    const guest = await this.#guests.include(sharedWith, caller.user);
    return isAllowed('image.see', caller, { ...about, guest });
  }
}

/** Pure. */
export function visibilityOf(sharedWith: SharedWith): ImageVisibility {
  if (sharedWith === undefined) return 'visible';
  return sharedWith.length === 0 ? 'private' : 'shared';
}

export async function sharingOf(
  database: Database<ImageTables>,
  { owner, name }: NamedImage,
): Promise<SharedWith> {
  const row = await database
    .selectFrom('image_sharing')
    .select('guests')
    .where('owner', '=', owner)
    .where('name', '=', name)
    .executeTakeFirst();
  return row && (JSON.parse(row.guests) as GuestWord[]);
}

async function setSharing(
  database: Database<ImageTables>,
  { owner, name }: NamedImage,
  sharedWith: SharedWith,
): Promise<void> {
  if (sharedWith === undefined) {
    await database.deleteFrom('image_sharing').where('owner', '=', owner).where('name', '=', name).execute();
    return;
  }
  const guests = JSON.stringify(sharedWith);
  await database
    .insertInto('image_sharing')
    .values({ owner, name, guests })
    .onConflict((c) => c.columns(['owner', 'name']).doUpdateSet({ guests }))
    .execute();
}

/**
 * In the transaction that makes a name: what was made of images that not everybody may see is as hidden as these. Of another owner's, it
 * is its maker's alone.
 */
export async function inheritSharing(
  t: Database<ImageTables>,
  image: NamedImage,
  sources: readonly NamedImage[],
): Promise<void> {
  // It had that name before.
  if ((await sharingOf(t, image)) !== undefined) return;
  let inherited: SharedWith;
  for (const source of sources) {
    const theirs = await sharingOf(t, source);
    if (theirs === undefined) continue;
    const mine = source.owner === image.owner ? theirs : [];
    inherited = inherited ? inherited.filter((word) => mine.includes(word)) : mine;
  }
  await setSharing(t, image, inherited);
}

/** In the transaction that renames an image. What is known of a removed one that had the new name goes. */
export async function renameSharing(
  t: Database<ImageTables>,
  image: NamedImage,
  newName: string,
): Promise<void> {
  const sharedWith = await sharingOf(t, image);
  await setSharing(t, image, undefined);
  await setSharing(t, { owner: image.owner, name: newName }, sharedWith);
}
