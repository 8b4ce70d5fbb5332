/** What the images of a user take on disk. */
import { PLATFORM_OWNER } from '@walt/contract';
import type { Database, Retention } from '../../platform/index.ts';
import type { Item } from '../../space/index.ts';
import { seconds } from './catalogue-rows.ts';
import { retained } from './lineage.ts';
import type { ImageTables } from './tables.ts';

/**
 * Bytes on disk of the layers of an owner's images and of their versions that history keeps, each once, at the first image that has it.
 * A layer that others have too counts for each of them. What came with a default image, or is in one now, counts for nobody.
 */
export async function imageSpace(
  database: Database<ImageTables>,
  owner: string,
  retention: Retention,
): Promise<Item[]> {
  const [names, steps, defaults] = await Promise.all([
    database
      .selectFrom('image')
      .select(['name', 'digest'])
      .where('owner', '=', owner)
      .orderBy('name')
      .execute(),
    database
      .selectFrom('image_history')
      .select(['owner', 'name', 'digest', 'previous', 'at', 'given_up'])
      .where('owner', '=', owner)
      .orderBy('id', 'desc')
      .execute(),
    database.selectFrom('image').select('digest').where('owner', '=', PLATFORM_OWNER).execute(),
  ]);
  const older = retained(steps, retention, 0, seconds());
  const holders = [
    ...names.map(({ name, digest }) => ({ name, digests: [digest] })),
    { name: 'older versions', digests: [...older] },
  ];
  const digests = [...holders.flatMap((holder) => holder.digests), ...defaults.map(({ digest }) => digest)];
  const layers = await layersOf(database, digests);
  const sizes = await layerSizes(database, [...new Set([...layers.values()].flat())]);
  const counted = new Set(defaults.flatMap(({ digest }) => layers.get(digest) ?? []));
  return holders.flatMap(({ name, digests: held }) => {
    let amount = 0;
    for (const layer of held.flatMap((digest) => layers.get(digest) ?? [])) {
      if (counted.has(layer)) continue;
      counted.add(layer);
      amount += sizes.get(layer) ?? 0;
    }
    return amount > 0 ? [{ name, amount }] : [];
  });
}

export async function layersOf(
  database: Database<ImageTables>,
  digests: readonly string[],
): Promise<Map<string, string[]>> {
  if (digests.length === 0) return new Map();
  const rows = await database
    .selectFrom('image_digest')
    .select(['digest', 'layers'])
    .where('digest', 'in', [...new Set(digests)])
    .execute();
  return new Map(rows.map(({ digest, layers }) => [digest, JSON.parse(layers) as string[]]));
}

/** Bytes of those that are somebody's: unpacked, and as a volume. */
async function layerSizes(
  database: Database<ImageTables>,
  diffIds: readonly string[],
): Promise<Map<string, number>> {
  if (diffIds.length === 0) return new Map();
  const rows = await database
    .selectFrom('image_layer')
    .select(['diff_id', 'size', 'volume', 'action'])
    .where('diff_id', 'in', diffIds)
    .execute();
  const own = rows.filter(({ action }) => action !== 'default');
  return new Map(own.map(({ diff_id: diffId, size, volume }) => [diffId, (size ?? 0) + (volume ?? 0)]));
}
