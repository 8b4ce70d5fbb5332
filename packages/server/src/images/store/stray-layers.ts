/** Records of containers/storage, as far as we read them: which layers there are, and what refers to them. */
import * as z from 'zod';

/** `overlay-layers/layers.json`, and `containers-storage layers --json` (storage/layers.go). */
export const layerRecords = z.array(
  z.object({
    id: z.string().regex(/^[0-9a-f]{64}$/),
    parent: z.string().optional(),
    created: z.string().optional(),
    'diff-digest': z.string().optional(),
    'diff-size': z.number().optional(),
    flags: z.looseObject({ incomplete: z.boolean().optional() }).optional(),
  }),
);
export type StorageLayer = z.infer<typeof layerRecords>[number];

/** Images and containers: each names its top layer. */
export const layerUsers = z.array(
  z.object({ layer: z.string().optional(), 'mapped-layers': z.array(z.string()).optional() }),
);

/** `overlay-images/images.json`. */
export const layerOwners = z.array(
  z.object({ id: z.string().regex(/^[0-9a-f]{64}$/), layer: z.string().optional() }),
);

/** IDs of the layers that lie below none of `tops` and came before `before` (Unix time in seconds); upper layers first. */
export function strayLayers(
  layers: readonly StorageLayer[],
  tops: readonly string[],
  before: number,
): string[] {
  const parents = new Map(layers.map(({ id, parent }) => [id, parent]));
  const used = new Set<string>();
  for (const top of tops) {
    for (let id: string | undefined = top; id && !used.has(id); id = parents.get(id)) used.add(id);
  }
  const depth = (id: string): number => {
    const parent = parents.get(id);
    return parent ? depth(parent) + 1 : 0;
  };
  const stray = layers.filter(({ id, created }) => !used.has(id) && isBefore(created, before));
  // A young layer keeps what lies below it.
  const kept = new Set<string>();
  for (const layer of layers) {
    if (used.has(layer.id) || stray.includes(layer)) continue;
    for (let id: string | undefined = layer.id; id && !kept.has(id); id = parents.get(id)) kept.add(id);
  }
  return stray
    .map(({ id }) => id)
    .filter((id) => !kept.has(id))
    .sort((a, b) => depth(b) - depth(a));
}

function isBefore(created: string | undefined, before: number): boolean {
  return created !== undefined && Date.parse(created) / 1000 < before;
}
