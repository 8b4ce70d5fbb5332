import { mkdir, mkdtemp, readFile, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createLog, isExternalError, run, unmountIn } from '../../platform/index.ts';

/** mount(8): what the kernel refused. */
const MOUNT_FAILURE = 32;
const MOUNT_TRIES = 3;

const log = createLog('images');

/**
 * Trees of images, mounted read-only while somebody reads them. We mount them ourselves: podman takes a tenth of a second to mount,
 * and another one to unmount.
 */
export class MountedTrees {
  readonly #folder: string;
  readonly #containers: string;
  /** How many read the tree of an image, by digest. */
  readonly #readers = new Map<string, number>();

  /** `folder` is where they are mounted; `containers` is podman's store, which has the layers in its folder `overlay`. */
  constructor(folder: string, containers: string) {
    this.#folder = folder;
    this.#containers = containers;
  }

  has(digest: string): boolean {
    return this.#readers.has(digest);
  }

  /** Calls `use` with the tree of these layers: their folders, bottom first. */
  async with<T>(digest: string, layers: readonly string[], use: (root: string) => Promise<T>): Promise<T> {
    this.#count(digest, 1);
    try {
      // overlayfs wants two folders at least.
      const empty = join(this.#folder, 'empty');
      await mkdir(empty, { recursive: true, mode: 0o700 });
      const lower = [...(await Promise.all(layers.map(shortName))).reverse(), empty];
      const root = await mkdtemp(join(this.#folder, 'tree-'));
      const options = `ro,nosuid,nodev,noexec,lowerdir=${lower.join(':')}`;
      try {
        await this.#mount(options, root);
        return await use(root);
      } finally {
        await unmountIn(root);
        await rmdir(root);
      }
    } finally {
      this.#count(digest, -1);
    }
  }

  /** Unmounts what a server that was killed left mounted. */
  async clear(): Promise<void> {
    await unmountIn(this.#folder);
    await rm(this.#folder, { recursive: true, force: true });
  }

  /**
   * podman mounts the folder of layers upon itself while it has something mounted there. When that goes in the very moment in which
   * the kernel looks up a layer, overlayfs has a folder that is nowhere any more, and the mount fails.
   */
  async #mount(options: string, root: string): Promise<void> {
    const argv = ['mount', '-t', 'overlay', '-o', options, '--', 'walt-image', root];
    for (let tries = 1; ; tries += 1) {
      try {
        await run(argv, { cwd: this.#containers });
        return;
      } catch (error) {
        if (!isExternalError(error) || error.status !== MOUNT_FAILURE || tries === MOUNT_TRIES) throw error;
        log.warn('an image cannot be mounted, again', { tries, reason: error.message });
      }
    }
  }

  #count(digest: string, change: number): void {
    const readers = (this.#readers.get(digest) ?? 0) + change;
    if (readers > 0) this.#readers.set(digest, readers);
    else this.#readers.delete(digest);
  }
}

/** containers/storage keeps a short name of each layer: the options of a mount with many layers must fit in a page. */
async function shortName(folder: string): Promise<string> {
  return `overlay/l/${await readFile(join(dirname(folder), 'link'), 'utf8')}`;
}
