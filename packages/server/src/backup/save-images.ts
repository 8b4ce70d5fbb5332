import { ImageArchive } from '../images/index.ts';
import { isExternalError, isUserError, type Paths } from '../platform/index.ts';
import type { Blobs } from './blobs.ts';
import type { Blob, Generation, SavedImage } from './generation.ts';
import type { Told } from './progress.ts';
import { isGone } from './state-files.ts';

/** Those whose layers are not what they were are told, and `missing`. */
export async function saveImages(
  paths: Paths,
  digests: readonly string[],
  { blobs, before, told }: { blobs: Blobs; before: Generation | undefined; told: Told },
): Promise<{ images: SavedImage[]; missing: string[] }> {
  const archive = ImageArchive.beside(paths);
  const known = new Map(before?.images.map((image) => [image.configuration.digest, image]));
  const images: SavedImage[] = [];
  const missing: string[] = [];
  for (const [index, digest] of digests.entries()) {
    const earlier = known.get(digest);
    const title = `Image ${index + 1} of ${digests.length}`;
    try {
      images.push(
        earlier && (await isThere(earlier, blobs))
          ? earlier
          : await saveImage(archive, digest, blobs, told.step(title)),
      );
    } catch (error) {
      // Others are worth having all the same.
      if (!isTorn(error)) throw error;
      missing.push(digest);
      told.say(`${title} (${digest}) cannot be saved: ${error instanceof Error ? error.message : error}`);
    }
  }
  return { images, missing };
}

async function isThere({ configuration, manifest, layers }: SavedImage, blobs: Blobs): Promise<boolean> {
  for (const blob of [configuration, manifest, ...layers]) if (!(await blobs.has(blob))) return false;
  return true;
}

async function saveImage(
  archive: ImageArchive,
  digest: string,
  blobs: Blobs,
  step: (done: number, total?: number) => void,
): Promise<SavedImage> {
  const { configuration, manifest, layers } = await archive.describe(digest);
  const total = layers.reduce((sum, { size }) => sum + size, 0);
  const saved: Blob[] = [];
  let done = 0;
  for (const layer of layers) {
    const blob = (await blobs.has(layer))
      ? layer
      : await blobs.put(await archive.layer(layer.digest), (bytes) => step(done + bytes, total));
    if (blob.digest !== layer.digest) throw new TornLayer(layer.digest);
    saved.push(blob);
    done += layer.size;
  }
  return {
    configuration: await blobs.putBytes(Buffer.from(configuration)),
    manifest: await blobs.putBytes(Buffer.from(manifest(saved))),
    layers: saved,
  };
}

class TornLayer extends Error {
  constructor(diffId: string) {
    super(`its layer ${diffId} has other files than it came with`);
  }
}

/** True where the store is to blame, and only for this image. */
function isTorn(error: unknown): boolean {
  return error instanceof TornLayer || isExternalError(error) || isUserError(error) || isGone(error);
}
