/**
 * Deletions in a layer of what no layer below has, as kaniko writes them. Overlayfs hides a deletion only in folders that several
 * layers have; in others it shows a name that nobody can read. Which folders those are depends on the layers below: the same
 * layer may be right in another image, so that it stays as it is.
 */
import { streamProgram } from '../../platform/index.ts';
import { bytesOf, join, withTree } from '../../trees/index.ts';
import type { Report } from '../progress.ts';
import type { Store } from '../store/index.ts';
import type { DigestRecord } from '../types.ts';
import { layerOf } from './layer-tar.ts';
import { addLayer, type LayerParts } from './new-layer.ts';
import { archive } from './tree-archive.ts';

/** Bytes of the names of all deletions of an image. */
const MAX_NAMES = 64 * 1024 * 1024;

/** Paths (Latin-1) that layers of an image say are deleted, whether or not they were there. */
export async function deletions(store: Store, digest: string): Promise<string[]> {
  const folders = (await store.layersOf(digest)).map(({ folder }) => folder);
  if (folders.length === 0) return [];
  // In a layer's folder, a deletion is a character device. Real ones are told apart in the tree.
  const argv = ['find', ...folders, '-xdev', '-type', 'c', '-printf', '%P\\0'];
  const { stdout } = streamProgram(argv, { maxOutput: MAX_NAMES });
  const names = Buffer.concat(await Array.fromAsync(stdout as AsyncIterable<Buffer>)).toString('latin1');
  return names.split('\0').filter(Boolean);
}

/** Of these, those that show in the mounted tree `root` though they cannot be read. */
async function showing(paths: readonly string[], root: string): Promise<string[]> {
  const byFolder = Map.groupBy(paths, (path) => path.slice(0, Math.max(0, path.lastIndexOf('/'))));
  return withTree(root, async (tree) => {
    const found: string[] = [];
    for (const [folder, deleted] of byFolder) {
      const listed = new Set(await tree.names(folder));
      for (const path of new Set(deleted)) {
        const name = path.slice(path.lastIndexOf('/') + 1);
        if (listed.has(name) && !(await tree.stat(join(folder, name)))) found.push(path);
      }
    }
    return found;
  });
}

/**
 * Calls `use` with an image like this one in which no deletion shows: the image itself, or, kept while `use` runs, one with a layer on
 * top that has the folders in question once more, as they are. `image`'s name or hold must outlast this.
 */
export async function withoutPhantoms(
  parts: LayerParts,
  task: {
    image: DigestRecord;
    /** What `deletions` says of it. */
    deleted: readonly string[];
    report: Report;
    signal?: AbortSignal | undefined;
  },
  use: (image: DigestRecord) => Promise<void>,
): Promise<DigestRecord> {
  const { image, deleted, report, signal } = task;
  if (deleted.length === 0) return useItself(image, use);
  return parts.store.withMounted(image.digest, async (root) => {
    const phantoms = await showing(deleted, root);
    if (phantoms.length === 0) return useItself(image, use);
    const names = foldersOf(phantoms).map((folder) => bytesOf(folder === '' ? '.' : `./${folder}`));
    const made = await addLayer(parts, {
      ...{ base: image, mode: 'add', createdBy: 'walt: hides deletions of what is not there' },
      // The same image gives the same one.
      created: new Date(image.created * 1000),
      tar: layerOf(archive(root, { names, recursive: false, signal })),
      ...{ report, signal, point: use },
    });
    return made ?? image;
  });
}

async function useItself(
  image: DigestRecord,
  use: (image: DigestRecord) => Promise<void>,
): Promise<DigestRecord> {
  await use(image);
  return image;
}

/** The folders that they are in, and those above, since who unpacks a layer would make these with other owners and modes. */
function foldersOf(paths: readonly string[]): string[] {
  const folders = new Set<string>();
  for (const path of paths) {
    for (let slash = path.lastIndexOf('/'); slash >= 0; slash = path.lastIndexOf('/', slash - 1)) {
      const folder = path.slice(0, slash);
      if (folders.has(folder)) break;
      folders.add(folder);
      if (slash === 0) break;
    }
  }
  return ['', ...[...folders].sort()];
}
