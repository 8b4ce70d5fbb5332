/** Where names point to. */
import type { NamedImage } from '@walt/contract';
import { type AliasedExpression, expressionBuilder } from 'kysely';
import type { Database } from '../../platform/index.ts';
import type { ImageTables } from './tables.ts';

/** The digest that a name points to. */
export async function pointer(
  database: Database<ImageTables>,
  { owner, name }: NamedImage,
): Promise<string | undefined> {
  const row = await database
    .selectFrom('image')
    .select('digest')
    .where('owner', '=', owner)
    .where('name', '=', name)
    .executeTakeFirst();
  return row?.digest;
}

export async function setPointer(
  database: Database<ImageTables>,
  { owner, name }: NamedImage,
  digest: string,
  changed: number,
): Promise<void> {
  await database
    .insertInto('image')
    .values({ owner, name, digest, changed })
    .onConflict((c) => c.columns(['owner', 'name']).doUpdateSet({ digest, changed }))
    .execute();
}

/**
 * All names with the digest that they point to, and its boot plan, as `image`: for others to join, in a query of their own.
 * (SQLite looks up the rows that are asked for; were this a join itself, it would read all of them first.)
 */
export function imagePointers(): AliasedExpression<
  { owner: string; name: string; digest: string; boot_plan: string | null },
  'image'
> {
  return expressionBuilder<ImageTables>()
    .selectFrom('image')
    .select((image) => [
      ...(['owner', 'name', 'digest'] as const),
      image
        .selectFrom('image_digest')
        .select('boot_plan')
        .whereRef('image_digest.digest', '=', 'image.digest')
        .as('boot_plan'),
    ])
    .as('image');
}
