/** The layer of what a container changed. */
import { readdir } from 'node:fs/promises';
import { bytesOf } from '../../trees/index.ts';
import { archive, clearance, deletion, layerOf } from '../layers/index.ts';
import type { LayerPlan } from './changes.ts';

/**
 * Its tar. `tree` is the container's upper folder, or, where the plan names files that are not there as a whole, its mounted tree.
 * Deletions come first (OCI image-spec layer.md): the folders that they are in are told after them, as they are.
 */
export async function* changedLayer(tree: string, plan: LayerPlan): AsyncGenerator<Buffer> {
  for (const path of plan.cleared) yield clearance(path.slice(1));
  for (const path of plan.deleted) yield deletion(path.slice(1));
  const names = [...plan.entries];
  for (const folder of plan.moved) names.push(...(await namesBelow(tree, folder)));
  const below = names.map((path) => bytesOf(path.slice(1)));
  yield* layerOf(archive(tree, { names: below, recursive: false }));
}

/** True when the upper folder alone does not have all that the plan names. */
export function needsMountedTree({ partial, moved }: LayerPlan): boolean {
  return partial || moved.length > 0;
}

async function namesBelow(tree: string, folder: string): Promise<string[]> {
  const names: string[] = [];
  const entries = await readdir(Buffer.concat([Buffer.from(tree), bytesOf(folder)]), {
    withFileTypes: true,
    encoding: 'latin1',
  });
  for (const entry of entries) {
    const path = `${folder}/${entry.name}`;
    names.push(path);
    if (entry.isDirectory()) names.push(...(await namesBelow(tree, path)));
  }
  return names;
}
