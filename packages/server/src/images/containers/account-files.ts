/**
 * podman opens an image's `/etc/passwd` and `/etc/group` as root before it starts a program in a container, whatever they are: it
 * waits for ever for somebody to write to a FIFO, with the container locked, and reads a device without an end.
 */
import type { BigIntStats } from 'node:fs';
import { hasErrno, UserError } from '../../platform/index.ts';
import { Folder, withTree } from '../../trees/index.ts';
import type { ContainerState } from './container-state.ts';
import type { Containers } from './containers.ts';

const FILES = ['passwd', 'group'] as const;

/** Bytes of such a file: those of the largest sites. */
const MAX_SIZE = 16 * 1024 * 1024;

/**
 * Throws UserError INVALID when podman would hang on a container of this image, running or not. A look at its layers is enough for
 * nearly every image; where that tells nothing, the container's tree is mounted.
 */
export async function requireAccountFiles(
  containers: Containers,
  name: string,
  state?: Pick<ContainerState, 'folders'> | undefined,
): Promise<void> {
  const { folders } = state ?? (await containers.inspect(name)) ?? {};
  if (!folders) return;
  const plain = await Promise.all([folders.upper, ...folders.lower].map(isPlainLayer));
  if (plain.every(Boolean)) return;
  const root = await containers.mount(name);
  try {
    await withTree(root, async (tree) => {
      for (const file of FILES) {
        const place = await tree.find(`/etc/${file}`);
        if (place && !isPlain(place.stats)) throw notPlain(file);
      }
    });
  } finally {
    await containers.unmount(name);
  }
}

/** True where the layer, with any others, makes plain files or none: no link, nothing odd. */
async function isPlainLayer(path: string): Promise<boolean> {
  await using layer = await openLayer(path);
  const etc = await layer?.stat('etc');
  if (!layer || !etc || isWhiteout(etc)) return true;
  await using folder = await layer.folder('etc');
  if (!folder) return false;
  const found = await Promise.all(FILES.map((name) => folder.stat(name)));
  return found.every((stats) => !stats || isWhiteout(stats) || isPlain(stats));
}

async function openLayer(path: string): Promise<Folder | undefined> {
  try {
    return await Folder.open(path);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function isPlain(stats: BigIntStats): boolean {
  return stats.isFile() && stats.size <= MAX_SIZE;
}

/** As overlayfs keeps what is deleted. */
function isWhiteout(stats: BigIntStats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0n;
}

function notPlain(file: string): UserError {
  return new UserError(
    'INVALID',
    `Nothing can be run in the image: its /etc/${file} is no file, or has more than ${MAX_SIZE / 1024 / 1024} MB.`,
    `Put a file there with: walt image cp ${file} IMAGE:/etc/${file}`,
  );
}
