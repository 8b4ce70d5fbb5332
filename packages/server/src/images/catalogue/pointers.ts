import type { Database } from '../../platform/index.ts';
import type { ImageName } from './catalogue-rows.ts';

/** The digest that a name points to. */
export async function pointer(database: Database, { owner, name }: ImageName): Promise<string | undefined> {
  const row = await database
    .selectFrom('image')
    .select('digest')
    .where('owner', '=', owner)
    .where('name', '=', name)
    .executeTakeFirst();
  return row?.digest;
}

export async function setPointer(
  database: Database,
  { owner, name }: ImageName,
  digest: string,
  changed: number,
): Promise<void> {
  await database
    .insertInto('image')
    .values({ owner, name, digest, changed })
    .onConflict((c) => c.columns(['owner', 'name']).doUpdateSet({ digest, changed }))
    .execute();
}
