/**
 * What a build sees of the server's image store: the images that its Dockerfile starts from, and no other. buildah takes any image of
 * a store for the result of a step that has the step's history, which whoever made that image wrote: another user's clone could stand
 * in for a step. Records are those of containers/storage (images.go, layers.go).
 */
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readIfPresent } from '../../platform/index.ts';
import { imageId } from '../store.ts';

const records = z.array(z.looseObject({ id: z.string().regex(/^[0-9a-f]{64}$/) }));
const images = z.array(z.looseObject({ id: z.string(), layer: z.string().optional() }));
const layers = z.array(
  z.looseObject({ id: z.string(), parent: z.string().optional(), 'diff-size': z.number().optional() }),
);

/**
 * Writes the records of these images of store `root` to folder `view`, which then serves as an additional store once the store's own
 * folder `overlay` is mounted there.
 */
export async function writeView(root: string, digests: readonly string[], view: string): Promise<void> {
  const ids = new Set(digests.map(imageId));
  const [imageFile, layerFile] = [
    join('overlay-images', 'images.json'),
    join('overlay-layers', 'layers.json'),
  ];
  const seen = images.parse(await readRecords(join(root, imageFile))).filter(({ id }) => ids.has(id));
  const all = new Map(
    layers.parse(await readRecords(join(root, layerFile))).map((layer) => [layer.id, layer]),
  );
  const below = new Map<string, unknown>();
  for (const { layer } of seen) {
    for (let at = layer; at && !below.has(at); at = all.get(at)?.parent) below.set(at, all.get(at));
  }
  for (const folder of ['overlay-images', 'overlay-layers', 'overlay']) {
    await mkdir(join(view, folder), { recursive: true });
  }
  await writeFile(join(view, imageFile), JSON.stringify(seen));
  await writeFile(join(view, layerFile), JSON.stringify([...below.values()]));
  for (const lock of ['overlay-images/images.lock', 'overlay-layers/layers.lock']) {
    await writeFile(join(view, lock), '');
  }
  // Manifests and configurations.
  for (const { id } of seen) {
    await cp(join(root, 'overlay-images', id), join(view, 'overlay-images', id), { recursive: true });
  }
}

async function readRecords(file: string): Promise<unknown> {
  return records.parse(JSON.parse((await readIfPresent(file)) || '[]'));
}

const configuration = z.object({
  rootfs: z.object({ diff_ids: z.array(z.string()) }),
  config: z.object({ OnBuild: z.array(z.string()).nullish() }).nullish(),
});

/** What an image of a store says of itself: its layers' diff IDs, and its instructions for builds that start from it. */
export async function readConfiguration(
  root: string,
  digest: string,
): Promise<{ diffIds: string[]; triggers: string[] }> {
  // Keys of containers/storage's big data that are no plain names are written in base64.
  const file = `=${Buffer.from(digest).toString('base64')}`;
  const text = await readFile(join(root, 'overlay-images', imageId(digest), file), 'utf8');
  const { rootfs, config } = configuration.parse(JSON.parse(text));
  return { diffIds: rootfs.diff_ids, triggers: config?.OnBuild ?? [] };
}

/** Bytes of all layers of a store, unpacked. */
export async function storeSize(root: string): Promise<number> {
  const all = layers.parse(await readRecords(join(root, 'overlay-layers', 'layers.json')));
  return all.reduce((sum, layer) => sum + (layer['diff-size'] ?? 0), 0);
}

/** True when containers of a build that was killed are left in a store. */
export async function hasContainers(root: string): Promise<boolean> {
  const text = await readIfPresent(join(root, 'overlay-containers', 'containers.json'));
  return text !== undefined && records.parse(JSON.parse(text || '[]')).length > 0;
}
