import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { UserError } from '../platform/index.ts';
import type { Catalogue } from './catalogue.ts';
import type { Committer } from './committer.ts';
import type { Containers } from './containers.ts';
import { renameTop } from './rename-top.ts';
import type { ImageRecord } from './types.ts';

interface Deps {
  catalogue: Catalogue;
  containers: Containers;
  committer: Committer;
}

/**
 * Tar of a file or folder of an image; its only top entry has the path's last name. Links are followed inside the image.
 * Throws UserError NOT_FOUND.
 */
export async function readFiles({ containers }: Deps, image: ImageRecord, path: string): Promise<Readable> {
  const container = await containers.createStill(image.digest);
  const remove = () => containers.remove(container);
  try {
    if (!(await containers.pathInfo(container, path))) throw notFound(image, path);
    const tar = await containers.readArchive(container, path);
    // After the last byte, or when the reader has gone. Should it fail, the next start removes the container.
    tar.once('close', () => void remove().catch(() => {}));
    return tar;
  } catch (error) {
    await remove();
    throw error;
  }
}

/**
 * Unpacks a tar in an image and saves that as a new layer, under the same name. Where `path` is a folder, it goes in there;
 * where nothing is, the tar's only top entry gets that path. All entries belong to root.
 * Throws UserError NOT_FOUND when the folder is missing, CONFLICT when the image was changed meanwhile.
 */
export async function writeFiles(
  deps: Deps,
  user: string,
  image: ImageRecord,
  path: string,
  tar: Readable,
): Promise<ImageRecord> {
  const { catalogue, containers, committer } = deps;
  // It may break off before somebody reads it: who reads then will notice.
  tar.on('error', () => {});
  const container = await containers.createStill(image.digest);
  try {
    await unpack(containers, container, image, path, tar);
    const saved = await committer.commit({
      ...{ container, base: image.digest, report: () => {} },
      point: (record) =>
        catalogue.point(image, record, { digest: image.digest }, { user, action: 'cp', detail: path }),
    });
    return saved ? { owner: image.owner, name: image.name, ...saved } : image;
  } finally {
    await containers.remove(container);
  }
}

async function unpack(
  containers: Containers,
  container: string,
  image: ImageRecord,
  path: string,
  tar: Readable,
): Promise<void> {
  const target = posix.normalize(path).replace(/(?<=.)\/$/, '');
  if ((await containers.pathInfo(container, target))?.isFolder) {
    await containers.writeArchive(container, target, tar);
    return;
  }
  const parent = posix.dirname(target);
  if (!(await containers.pathInfo(container, parent))?.isFolder) throw notFound(image, parent);
  await containers.writeArchive(container, parent, renameTop(tar, posix.basename(target)));
}

function notFound(image: ImageRecord, path: string): UserError {
  return new UserError(
    'NOT_FOUND',
    `There is no ${path} in image "${image.owner}/${image.name}".`,
    `Look into it with: walt image shell ${image.name}`,
  );
}
