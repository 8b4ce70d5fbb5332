/** What the NFS server exports besides the volumes, mounted in its own mount namespace: nodes' /persist and images' file trees. */
import { mkdir, readdir, realpath, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno, namesIn, projectFile, readIfPresent, run } from '../../platform/index.ts';
import type { Tree } from './nfs-config.ts';

/**
 * A tree is this folder of the overlay, not the overlay's own root: the kernel cannot find a root again by the handle that it
 * gave out for it (ESTALE). So what is overlaid are file systems that have the layers in a folder of that name.
 */
export const TREE_FOLDER = 'diff';

const SCRIPT = projectFile('packages/server/src/network/nfs/nfs-mounts.sh');

const UNFINISHED = '.tmp';

/** Something that is mounted: the ext4 image of a /persist, or the layers of a tree. */
export type Mount = { name: string; image: string } | { name: string; tree: Tree };

export class NfsMounts {
  /** Where all of it lies, and is mounted. */
  readonly folder: string;
  /** What is known to be mounted, and for which process: each other look costs some processes. */
  #mounted = { pid: 0, names: new Set<string>() };

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(folder: string): Promise<NfsMounts> {
    for (const part of ['at', 'list']) await mkdir(join(folder, part), { recursive: true, mode: 0o700 });
    const mounts = new NfsMounts(folder);
    for (const name of await readdir(mounts.#list())) {
      if (name.endsWith(UNFINISHED)) await rm(mounts.#list(name), { recursive: true });
    }
    return mounts;
  }

  /** Command that runs a program in a mount namespace with all mounts of the list; not if the volumes are not apart. */
  serve(volumes: string, argv: readonly string[]): string[] {
    const script = [SCRIPT, 'serve', this.folder, volumes];
    return ['unshare', '--mount', '--propagation', 'slave', '--', ...script, ...argv];
  }

  /** Files of the file systems that an NFS server mounts by itself when it starts. */
  async images(): Promise<string[]> {
    const names = await namesIn(this.#list());
    const files = await Promise.all(names.map((name) => realpath(this.#list(name, 'image')).catch(absent)));
    return files.filter((file) => file !== undefined);
  }

  /** Where the NFS server sees it. */
  path(mount: Mount): string {
    const at = join(this.folder, 'at', mount.name);
    return 'image' in mount ? at : join(at, 'root', TREE_FOLDER);
  }

  /**
   * Mounts it for the NFS server with process number `pid`; idempotent. One that starts later mounts it by itself. Throws
   * ExternalError when it cannot be mounted.
   */
  async mount(mount: Mount, pid: number): Promise<void> {
    if (this.#mounted.pid !== pid) this.#mounted = { pid, names: new Set() };
    const { names } = this.#mounted;
    if (names.has(mount.name)) return;
    await this.#note(mount);
    await this.#inside(pid, 'mount', mount.name);
    names.add(mount.name);
  }

  /** Unmounts and forgets all others; nobody can ask for them any more. */
  async keepOnly(wanted: readonly Mount[], pid: number): Promise<void> {
    const names = new Set(wanted.map(({ name }) => name));
    for (const name of await namesIn(this.#list())) {
      if (names.has(name)) continue;
      // Forgotten first: an NFS server that starts meanwhile need not have it.
      await rm(this.#list(name), { recursive: true, force: true });
      this.#mounted.names.delete(name);
      await this.#inside(pid, 'unmount', name);
    }
  }

  /** What a name stands for changes only with the folder that the platform lies in. */
  async #note(mount: Mount): Promise<void> {
    const files = 'image' in mount ? [mount.image] : mount.tree.lower;
    const text = files.join('\n');
    const folder = this.#list(mount.name);
    if ((await readIfPresent(join(folder, 'files'))) === text) return;
    const temporary = `${folder}${UNFINISHED}`;
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary);
    await writeFile(join(temporary, 'files'), text);
    if ('image' in mount) await symlink(mount.image, join(temporary, 'image'));
    else {
      for (const [index, file] of files.entries()) await symlink(file, join(temporary, `${index}.img`));
      await writeFile(join(temporary, 'lower'), [...files.keys()].join(':'));
    }
    await rm(folder, { recursive: true, force: true });
    await rename(temporary, folder);
  }

  #list(...name: string[]): string {
    return join(this.folder, 'list', ...name);
  }

  async #inside(pid: number, act: 'mount' | 'unmount', name: string): Promise<void> {
    await run(['nsenter', `--mount=/proc/${pid}/ns/mnt`, '--', SCRIPT, act, this.folder, name]);
  }
}

/** For a tree, or for an image that somebody has taken away. */
function absent(error: unknown): undefined {
  if (!hasErrno(error, 'ENOENT')) throw error;
  return undefined;
}
