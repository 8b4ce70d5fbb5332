import { UserError } from '../../platform/index.ts';
import type { Store } from '../store/index.ts';
import type { Volumes } from './volumes.ts';

/**
 * Files with layers as trees are made of (network/nfs/nfs-mounts.sh), in the same order. They are there since the image came, but for
 * images that came to an older server. Throws UserError UNAVAILABLE when a layer is missing.
 */
export async function treeVolumes(
  diffIds: readonly string[],
  { store, volumes }: { store: Pick<Store, 'layers'>; volumes: Volumes },
): Promise<string[]> {
  const found = await Promise.all(diffIds.map((diffId) => volumes.findTree(diffId)));
  const present = found.includes(undefined) ? await store.layers() : new Map<string, never>();
  const paths: string[] = [];
  for (const [index, diffId] of diffIds.entries()) {
    const layer = present.get(diffId);
    const path = found[index] ?? (layer && (await volumes.ensureTree(layer)));
    if (path === undefined) {
      throw new UserError(
        'UNAVAILABLE',
        `The layer ${diffId} of an image is missing on the server.`,
        'Remove the image and make it again.',
      );
    }
    paths.push(path);
  }
  return paths;
}
