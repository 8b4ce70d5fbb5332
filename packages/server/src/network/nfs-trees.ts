/** Images' file trees as overlays, in the mount namespace of the NFS server. */
import { mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { run, writeFileAtomic } from '../platform/index.ts';
import type { Tree } from './nfs-config.ts';

/**
 * The tree is this folder of the overlay, not the overlay's own root: the kernel cannot find a root again by the handle that it
 * gave out for it (ESTALE). So what is overlaid are the folders that hold the layers.
 */
const TREE_FOLDER = 'diff';

/**
 * Links to the layers are numbered, and their list is a file, so that the options stay short whatever the number of layers, and
 * an NFS server that starts again finds all that it needs.
 */
const MOUNT = `mount -t overlay -o "ro,nfs_export=on,redirect_dir=nofollow,lowerdir=$(cat lower)" walt root`;

/** Shell code: mounts all trees of the folder in $1, and takes that argument away. */
export const mountTreesAtStart = `for tree in "$1"/*/lower; do [ ! -e "$tree" ] || (cd "\${tree%/lower}" && ${MOUNT}); done; shift;`;

export class TreeMounts {
  /** A folder per tree: `0`, `1` … (links to what is overlaid), `lower` (their list), `root` (mount point). */
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(folder: string): Promise<TreeMounts> {
    await mkdir(folder, { recursive: true });
    return new TreeMounts(folder);
  }

  /** Where the NFS server sees it. */
  path({ name }: Tree): string {
    return join(this.folder, name, 'root', TREE_FOLDER);
  }

  /** Mounts it for the NFS server with process number `pid`; idempotent. One that starts later mounts it by itself. */
  async mount(tree: Tree, pid: number): Promise<void> {
    const folder = join(this.folder, tree.name);
    await mkdir(join(folder, 'root'), { recursive: true });
    for (const [index, layer] of tree.lower.entries()) {
      await rm(join(folder, String(index)), { force: true });
      await symlink(layer, join(folder, String(index)));
    }
    await writeFileAtomic(join(folder, 'lower'), [...tree.lower.keys()].join(':'));
    await inside(pid, `cd "$1" && { mountpoint -q root || ${MOUNT}; }`, folder);
  }

  /** Unmounts and forgets all others; nobody can ask for them any more. */
  async keepOnly(trees: ReadonlyMap<string, Tree>, pid: number): Promise<void> {
    for (const name of await readdir(this.folder)) {
      if (trees.has(name)) continue;
      const folder = join(this.folder, name);
      await inside(pid, 'cd "$1" && { ! mountpoint -q root || umount --lazy root; }', folder);
      await rm(folder, { recursive: true, force: true });
    }
  }
}

async function inside(pid: number, script: string, folder: string): Promise<void> {
  await run(['nsenter', `--mount=/proc/${pid}/ns/mnt`, '--', 'sh', '-c', script, 'sh', folder]);
}
