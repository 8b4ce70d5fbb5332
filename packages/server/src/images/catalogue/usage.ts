/** What all images take on disk: each layer once. */
import { type DiskPart, PLATFORM_OWNER } from '@walt/contract';
import type { Database, Retention } from '../../platform/index.ts';
import { seconds } from './catalogue-rows.ts';
import { readLayers } from './layer-rows.ts';
import { retained } from './lineage.ts';
import { layersOf } from './space.ts';
import type { ImageTables } from './tables.ts';

/** What keeps layers. */
export type LayerHolder = Omit<DiskPart, 'bytes'> & { digests: readonly string[] };

/**
 * Pure. Gives each layer to the one that has it; to its owner, where several of his images do; to nobody, where images of several users
 * do. What a default image has is its own, and what an image has, no older version.
 */
export function shareLayers(
  holders: readonly LayerHolder[],
  layers: ReadonlyMap<string, readonly string[]>,
  sizes: ReadonlyMap<string, number>,
): DiskPart[] {
  const holding = new Map<string, Set<LayerHolder>>();
  for (const holder of holders) {
    for (const layer of holder.digests.flatMap((digest) => layers.get(digest) ?? [])) {
      holding.set(layer, (holding.get(layer) ?? new Set()).add(holder));
    }
  }
  const parts = new Map<string, DiskPart>();
  for (const [layer, all] of holding) {
    const { user, kind, name } = keeperOf([...all]);
    const key = JSON.stringify([user, kind, name]);
    const part = parts.get(key) ?? { user, kind, name, bytes: 0 };
    parts.set(key, { ...part, bytes: part.bytes + (sizes.get(layer) ?? 0) });
  }
  return [...parts.values()];
}

function keeperOf(holders: readonly LayerHolder[]): Omit<DiskPart, 'bytes'> {
  const current = holders.filter(({ kind }) => kind !== 'older-versions');
  const counted = current.length > 0 ? current : holders;
  const [one, ...others] = counted;
  const ofPlatform = counted.find(({ kind }) => kind === 'default-images');
  if (ofPlatform) return ofPlatform;
  if (one && others.length === 0) return one;
  const user = others.every((other) => other.user === one?.user) ? (one?.user ?? null) : null;
  return { user, kind: 'shared-layers', name: null };
}

export async function imageUsage(database: Database<ImageTables>, retention: Retention): Promise<DiskPart[]> {
  const [images, steps, sizes] = await Promise.all([
    database.selectFrom('image').select(['owner', 'name', 'digest']).execute(),
    database
      .selectFrom('image_history')
      .select(['owner', 'name', 'digest', 'previous', 'at', 'given_up'])
      .orderBy('id', 'desc')
      .execute(),
    readLayers(database),
  ]);
  const older = [...Map.groupBy(steps, ({ owner }) => owner)].map(([owner, own]): LayerHolder => {
    const digests = [...retained(own, retention, 0, seconds())];
    return { user: owner === PLATFORM_OWNER ? null : owner, kind: 'older-versions', name: null, digests };
  });
  const holders = images.map(({ owner, name, digest }): LayerHolder => {
    if (owner !== PLATFORM_OWNER) return { user: owner, kind: 'image', name, digests: [digest] };
    return { user: null, kind: 'default-images', name: null, digests: [digest] };
  });
  const all = [...holders, ...older];
  const layers = await layersOf(
    database,
    all.flatMap(({ digests }) => digests),
  );
  const bytes = sizes
    .values()
    .map(({ diffId, size, volume }): [string, number] => [diffId, (size ?? 0) + (volume ?? 0)]);
  return shareLayers(all, layers, new Map(bytes));
}
