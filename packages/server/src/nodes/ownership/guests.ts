/** Whom owners let use their nodes. */
import { PLATFORM_OWNER } from '@walt/contract';
import { sql } from 'kysely';
import type { Caller, Guests, GuestWord, OwnedNode } from '../../access/index.ts';
import { type Database, UserError } from '../../platform/index.ts';
import type { NodeTables } from '../tables.ts';
import { ownerOf } from './owners.ts';

export interface OwnedRow {
  id: number;
  name: string;
  /** Of the image that it boots. */
  image_owner: string;
}

/** Rows of guests. What nodes of one owner have of them is gone with that owner (`forgetAdmitted`). */
export class NodeGuests {
  readonly #database: Database<NodeTables>;
  readonly #guests: Pick<Guests, 'include'>;

  constructor(database: Database<NodeTables>, guests: Pick<Guests, 'include'>) {
    this.#database = database;
    this.#guests = guests;
  }

  /** By node id; those without guests are absent. */
  async of(ids: readonly number[]): Promise<ReadonlyMap<number, GuestWord[]>> {
    if (ids.length === 0) return new Map();
    const rows = await this.#database
      .selectFrom('node_guest')
      .select(['node', 'guest'])
      .where('node', 'in', ids)
      .execute();
    const groups = Map.groupBy(rows, ({ node }) => node);
    return new Map([...groups].map(([node, words]) => [node, words.map(({ guest }) => guest)]));
  }

  /** As the rows of the policy want to know them: whether the caller is one of the guests, as of now. */
  async owned<Row extends OwnedRow>(rows: readonly Row[], caller: Caller): Promise<OwnedNode[]> {
    const words = await this.of(rows.map(({ id }) => id));
    return await Promise.all(
      rows.map(async (row) => ({
        name: row.name,
        owner: ownerOf(row),
        guest: await this.#guests.include(words.get(row.id) ?? [], caller.user),
      })),
    );
  }

  /** Of nodes that still belong to who they belonged to. Throws UserError when a node has more guests than it may. */
  async allow(nodes: readonly OwnedRow[], words: readonly GuestWord[], most: number): Promise<void> {
    await this.#database.transaction().execute(async (transaction) => {
      for (const { id, name, image_owner } of nodes) {
        const same = await transaction
          .selectFrom('node')
          .select('id')
          .where('id', '=', id)
          .where('image_owner', '=', image_owner)
          .executeTakeFirst();
        if (!same) continue;
        await transaction
          .insertInto('node_guest')
          .values(words.map((guest) => ({ node: id, guest })))
          .onConflict((conflict) => conflict.doNothing())
          .execute();
        const all = await transaction
          .selectFrom('node_guest')
          .select('guest')
          .where('node', '=', id)
          .execute();
        if (all.length > most) {
          throw new UserError(
            'INVALID',
            `${name} would be shared with ${all.length} logins and groups: ${most} is the most.`,
            'Name a group instead: walt node allow NODE --group GROUP. Nothing was changed.',
          );
        }
      }
    });
  }

  async disallow(ids: readonly number[], words: readonly GuestWord[] | 'all'): Promise<void> {
    let query = this.#database.deleteFrom('node_guest').where('node', 'in', ids);
    if (words !== 'all') query = query.where('guest', 'in', words);
    await query.execute();
  }
}

/** In the transaction that gives nodes to `owner`: whom and what another user has let in has no way there any more. */
export async function forgetAdmitted(
  transaction: Database<NodeTables>,
  ids: readonly number[],
  owner: string,
): Promise<void> {
  await transaction
    .deleteFrom('node_guest')
    .where('node', 'in', (query) =>
      query.selectFrom('node').select('id').where('id', 'in', ids).where('image_owner', '!=', owner),
    )
    .execute();
  // What a free node exposes was set for whoever takes it.
  await transaction
    .updateTable('node')
    .set({ settings: sql`json_remove(settings, '$.expose')` })
    .where('id', 'in', ids)
    .where('image_owner', 'not in', [owner, PLATFORM_OWNER])
    .execute();
}
