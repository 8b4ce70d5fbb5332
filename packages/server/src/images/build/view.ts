/**
 * What a build sees of the server's image store: the images that its Dockerfile starts from, and no other. buildah takes any image of
 * a store for the result of a step that has the step's history, which whoever made that image wrote: another user's clone could stand
 * in for a step. Records are those of containers/storage (images.go, layers.go).
 */
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { hasErrno, joinInside, readIfPresent, UserError } from '../../platform/index.ts';
import { imageId } from '../store/index.ts';

const records = z.array(z.looseObject({ id: z.string().regex(/^[0-9a-f]{64}$/) }));
const images = z.array(z.looseObject({ id: z.string(), layer: z.string().optional() }));
const layers = z.array(
  z.looseObject({ id: z.string(), parent: z.string().optional(), 'diff-size': z.number().optional() }),
);

const IMAGES = join('overlay-images', 'images.json');
const LAYERS = join('overlay-layers', 'layers.json');

type Layers = ReadonlyMap<string, z.infer<typeof layers>[number]>;

/**
 * Writes the records of these images of store `root` to folder `view`, which then serves as an additional store where the store's own
 * folder `overlay` is mounted at `mounted`. `own` is the build's store: what its layers lie on is there too. Of other layers, there is
 * not even the folder: buildah takes one that it has no record of for the rest of a failure, which it must remove before it makes a
 * layer of the same content.
 */
export async function writeView(
  root: string,
  digests: readonly string[],
  { own, view, mounted }: { own: string; view: string; mounted: string },
): Promise<void> {
  const ids = new Set(digests.map(imageId));
  const seen = images.parse(await readRecords(join(root, IMAGES))).filter(({ id }) => ids.has(id));
  const all = await readLayers(root);
  const below: Map<string, unknown> = new Map();
  for (const top of [...seen.map(({ layer }) => layer), ...(await parentsOutside(own))]) {
    for (let at = top; at && !below.has(at); at = all.get(at)?.parent) below.set(at, all.get(at));
  }
  for (const folder of ['overlay-images', 'overlay-layers', join('overlay', 'l')]) {
    await mkdir(join(view, folder), { recursive: true });
  }
  await writeFile(join(view, IMAGES), JSON.stringify(seen));
  await writeFile(join(view, LAYERS), JSON.stringify([...below.values()]));
  for (const lock of ['overlay-images/images.lock', 'overlay-layers/layers.lock']) {
    await writeFile(join(view, lock), '');
  }
  for (const id of below.keys()) {
    await symlink(join(mounted, id), join(view, 'overlay', id));
    // What the layers above call it (containers/storage, drivers/overlay/overlay.go).
    const short = await readFile(join(root, 'overlay', id, 'link'), 'utf8');
    await symlink(join('..', id, 'diff'), joinInside(join(view, 'overlay', 'l'), short.trim()));
  }
  // Manifests and configurations.
  for (const { id } of seen) {
    await cp(join(root, 'overlay-images', id), join(view, 'overlay-images', id), { recursive: true });
  }
}

/** True when a layer of a build's store lies on one that store `root` has no more: nothing above it can be used. */
export async function lacksLayers(root: string, own: string): Promise<boolean> {
  const all = await readLayers(root);
  return (await parentsOutside(own)).some((parent) => !all.has(parent));
}

/** Layers of other stores on which those of this one lie, and its images that have none of their own: after ENV, say. */
async function parentsOutside(own: string): Promise<string[]> {
  const present = await readLayers(own);
  const made = images.parse(await readRecords(join(own, IMAGES)));
  const below = [...[...present.values()].map(({ parent }) => parent), ...made.map(({ layer }) => layer)];
  return below.flatMap((layer) => (layer && !present.has(layer) ? [layer] : []));
}

async function readLayers(root: string): Promise<Layers> {
  const list = layers.parse(await readRecords(join(root, LAYERS)));
  return new Map(list.map((layer) => [layer.id, layer]));
}

async function readRecords(file: string): Promise<unknown> {
  return records.parse(JSON.parse((await readIfPresent(file)) || '[]'));
}

const configuration = z.object({
  rootfs: z.object({ diff_ids: z.array(z.string()) }),
  config: z.object({ OnBuild: z.array(z.string()).nullish(), Env: z.array(z.string()).nullish() }).nullish(),
});

export interface Configuration {
  diffIds: string[];
  /** Its instructions for builds that start from it. */
  triggers: string[];
  environment: ReadonlyMap<string, string>;
}

/** What reading a store throws that has lost files, or parts of them, as a UserError about `what`; all else as it is. */
export function explainDamage(error: unknown, what: string): unknown {
  const isDamage =
    hasErrno(error, 'ENOENT', 'ENOTDIR') || error instanceof SyntaxError || error instanceof z.ZodError;
  if (!isDamage) return error;
  return new UserError(
    'EXTERNAL',
    `${what} is damaged on the server: parts of it are missing.`,
    'Clone it again, or build it again with --no-cache. The administrator should check the disk.',
  );
}

/** What an image of a store says of itself. */
export async function readConfiguration(root: string, digest: string): Promise<Configuration> {
  // Keys of containers/storage's big data that are no plain names are written in base64.
  const file = `=${Buffer.from(digest).toString('base64')}`;
  const text = await readFile(join(root, 'overlay-images', imageId(digest), file), 'utf8');
  const { rootfs, config } = configuration.parse(JSON.parse(text));
  const environment = (config?.Env ?? []).map((pair): [string, string] => {
    const at = pair.indexOf('=');
    return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
  });
  return { diffIds: rootfs.diff_ids, triggers: config?.OnBuild ?? [], environment: new Map(environment) };
}

/** Bytes of all layers of a store, unpacked. */
export async function storeSize(root: string): Promise<number> {
  const all = await readLayers(root);
  return [...all.values()].reduce((sum, layer) => sum + (layer['diff-size'] ?? 0), 0);
}

/** True when containers of a build that was killed are left in a store. */
export async function hasContainers(root: string): Promise<boolean> {
  const text = await readIfPresent(join(root, 'overlay-containers', 'containers.json'));
  return text !== undefined && records.parse(JSON.parse(text || '[]')).length > 0;
}
