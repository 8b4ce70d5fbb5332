import type { Readable } from 'node:stream';
import { streamOf, UserError } from '../platform/index.ts';
import { bytesOf, rawOf, type Tree, textOf, withoutSlashes, withTree as withTreeAt } from '../trees/index.ts';
import type { Catalogue } from './catalogue/index.ts';
import type { ImageHistory } from './history/index.ts';
import { addLayer, archive, CopyLayer, type CopyTarget, type LayerParts } from './layers/index.ts';
import { pointOrKeep } from './saves/index.ts';
import type { ImageRecord } from './types.ts';

interface Deps extends LayerParts {
  catalogue: Catalogue;
  history: ImageHistory;
}

/** What is at a path of an image, links followed. */
export type FileKind = 'file' | 'folder' | 'other';

/** Undefined when nothing is there. */
export function kindOfFile(deps: Deps, image: ImageRecord, path: string): Promise<FileKind | undefined> {
  return withTree(deps, image, async (tree) => {
    const stats = (await tree.target(rawOf(path)))?.stats;
    if (stats?.isDirectory()) return 'folder';
    return stats && (stats.isFile() ? 'file' : 'other');
  });
}

/**
 * Tar of a file or folder of an image, whose only top entry has its name: `root` for the image's root. Links on the way are followed
 * inside the image. Throws UserError NOT_FOUND.
 */
export function readFiles(deps: Deps, image: ImageRecord, path: string): Promise<Readable> {
  return streamOf(read(deps, image, path));
}

async function* read(deps: Deps, image: ImageRecord, path: string): AsyncGenerator<Buffer> {
  await using opened = await openTree(deps, image);
  const { tree } = opened;
  const place = await tree.target(rawOf(path));
  if (!place?.stats) throw notFound(image, path);
  const slash = place.path.lastIndexOf('/');
  const folder = `${tree.root}/${textOf(place.path.slice(0, Math.max(0, slash)))}`;
  const name = bytesOf(place.path.slice(slash + 1));
  if (place.path === '') yield* archive(tree.root, { names: [Buffer.from('.')], rootName: 'root' });
  else yield* archive(folder, { names: [name] });
}

/**
 * Unpacks a tar in an image and saves that as a new layer, under the same name. Where `path` is a folder, it goes in there; else the
 * tar's only top entry gets that path, and replaces a file that is there. Owners are those that the tar tells.
 * Throws UserError NOT_FOUND when the folder is missing, CONFLICT when the image was changed meanwhile and the result is kept
 * under another name (`pointOrKeep`), and as `CopyLayer`.
 */
export async function writeFiles(
  deps: Deps,
  user: string,
  image: ImageRecord,
  path: string,
  tar: Readable,
): Promise<ImageRecord> {
  const { catalogue } = deps;
  const move = { user, action: 'cp', detail: path, from: [image] } as const;
  let elsewhere: UserError | undefined;
  try {
    await catalogue.requireSpace(image.owner);
    const saved = await withTree(deps, image, async (tree) => {
      const layer = new CopyLayer(await copyTarget(tree, image, path), tar);
      return addLayer(deps, {
        ...{ base: image, mode: 'add', createdBy: `walt image cp ${JSON.stringify(path)}`, report: () => {} },
        ...{ tar: layer.tar(), worthwhile: () => layer.changes() },
        point: async (record) => {
          elsewhere = await pointOrKeep(catalogue, image, record, { digest: image.digest }, move);
        },
      });
    });
    if (elsewhere) throw elsewhere;
    return saved ? { owner: image.owner, name: image.name, ...saved } : image;
  } finally {
    // Else who sends it would wait for ever for somebody to read the rest.
    tar.destroy();
  }
}

async function copyTarget(tree: Tree, image: ImageRecord, path: string): Promise<CopyTarget> {
  const place = await tree.target(rawOf(path));
  if (place?.stats?.isDirectory()) return { tree, folder: place.path, name: undefined };
  if (!place || place.path === '') throw notFound(image, parentOf(path));
  const slash = place.path.lastIndexOf('/');
  return { tree, folder: place.path.slice(0, Math.max(0, slash)), name: place.path.slice(slash + 1) };
}

function parentOf(path: string): string {
  const bare = withoutSlashes(path);
  return withoutSlashes(bare.slice(0, bare.lastIndexOf('/') + 1)) || '/';
}

function withTree<T>(
  { history, store }: Deps,
  image: ImageRecord,
  use: (tree: Tree) => Promise<T>,
): Promise<T> {
  return history.whileKept([image], () => store.withMounted(image.digest, (root) => withTreeAt(root, use)));
}

/** For who hands on pieces while the tree is mounted. */
async function openTree(deps: Deps, image: ImageRecord): Promise<AsyncDisposable & { tree: Tree }> {
  const opened = Promise.withResolvers<Tree>();
  const closing = Promise.withResolvers<void>();
  const done = withTree(deps, image, (tree) => {
    opened.resolve(tree);
    return closing.promise;
  });
  done.catch(opened.reject);
  const tree = await opened.promise;
  return {
    tree,
    [Symbol.asyncDispose]: () => {
      closing.resolve();
      return done;
    },
  };
}

function notFound(image: ImageRecord, path: string): UserError {
  return new UserError(
    'NOT_FOUND',
    `There is no ${path} in image "${image.owner}/${image.name}".`,
    `Look into it with: walt image shell ${image.name}`,
  );
}
