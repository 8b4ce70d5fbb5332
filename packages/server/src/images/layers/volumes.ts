import { randomBytes } from 'node:crypto';
import { mkdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { digestHex } from '@walt/contract';
import {
  fileExists,
  hasErrno,
  isSoundErofs,
  makeErofs,
  namesIn,
  publishFile,
  requireVolumeRoom,
  run,
  UserError,
} from '../../platform/index.ts';
import { printable } from '../printable.ts';
import type { StoredLayer } from '../store/index.ts';

const TEMPORARY = '.tmp';

export interface VolumeDraft extends AsyncDisposable {
  publish(): Promise<void>;
}

/** Volumes that were begun ahead of who needs them. Disposing it ends and removes those that nobody took. */
export interface VolumesAhead extends AsyncDisposable {
  /** That of a layer, for the caller to publish and dispose; undefined: not begun, or making it failed. At most once per layer. */
  take(diffId: string): Promise<VolumeDraft | undefined>;
}

/** File name of a layer's volume in the volumes folder. */
export function volumeName(diffId: string): string {
  return `sha256-${digestHex(diffId)}.erofs`;
}

/** File name of the volume from which the NFS server takes a layer for an image's tree. */
export function treeVolumeName(diffId: string): string {
  return `tree-${volumeName(diffId)}`;
}

/** The volumes folder: one compressed, read-only file system per layer, shared by all images that contain the layer. */
export class Volumes {
  readonly #folder: string;
  /** Bytes that are packed of layers whose volume is being made. */
  readonly #packed = new Map<string, number>();

  readonly #lookMs: number | undefined;

  /** `lookMs`: milliseconds between two looks at how far a volume is; undefined: as makeErofs has it. */
  constructor(folder: string, { lookMs }: { lookMs?: number } = {}) {
    this.#folder = folder;
    this.#lookMs = lookMs;
  }

  /** Makes a layer's volume, or takes it from `ahead`, if it is not there. The same layer gives the same volume, byte by byte. */
  async ensure(layer: StoredLayer, ahead?: VolumesAhead): Promise<void> {
    await using draft = (await ahead?.take(layer.diffId)) ?? (await this.draft(layer));
    await draft?.publish();
  }

  /**
   * Makes a layer's volume that is not there until it is published, for a layer that may still turn out to be nobody's.
   * Undefined when the volume is there already. Whoever drops the draft removes it.
   */
  async draft(layer: StoredLayer): Promise<VolumeDraft | undefined> {
    const path = join(this.#folder, volumeName(layer.diffId));
    if (await fileExists(path)) return undefined;
    await mkdir(this.#folder, { recursive: true });
    // More than it will take, if it can be compressed.
    await requireVolumeRoom(this.#folder, layer.size ?? 0);
    const temporary = `${path}.${randomBytes(6).toString('hex')}${TEMPORARY}`;
    const remove = () => rm(temporary, { force: true });
    try {
      await makeErofs(layer.folder, temporary, 'kept', {
        onBytes: (bytes) => this.#packed.set(layer.diffId, bytes),
        lookMs: this.#lookMs,
      });
    } catch (error) {
      await remove();
      throw (await refusalOf(layer.folder)) ?? error;
    } finally {
      this.#packed.delete(layer.diffId);
    }
    return { publish: () => this.#publish(temporary, path), [Symbol.asyncDispose]: remove };
  }

  /** Path of the volume from which a layer is taken for trees; undefined when there is none. */
  async findTree(diffId: string): Promise<string | undefined> {
    const path = join(this.#folder, treeVolumeName(diffId));
    return (await fileExists(path)) ? path : undefined;
  }

  /**
   * Makes it if it is not there, and answers its path. It has the layer in a folder (see `TREE_FOLDER` of network/), and an
   * identity of its own, by which the kernel tells the layers of an overlay apart in file handles.
   */
  async ensureTree({ diffId, folder, size }: StoredLayer): Promise<string> {
    const path = join(this.#folder, treeVolumeName(diffId));
    if (await fileExists(path)) return path;
    await mkdir(this.#folder, { recursive: true });
    await requireVolumeRoom(this.#folder, size ?? 0);
    const temporary = `${path}.${randomBytes(6).toString('hex')}${TEMPORARY}`;
    const uuid = digestHex(diffId).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5');
    try {
      await makeErofs(dirname(folder), temporary, 'kept', { only: basename(folder), uuid });
      await this.#publish(temporary, path);
    } finally {
      await rm(temporary, { force: true });
    }
    return path;
  }

  async #publish(temporary: string, path: string): Promise<void> {
    try {
      await publishFile(temporary, path);
    } catch (error) {
      // So it is told when the disk below has become full meanwhile.
      if (hasErrno(error, 'EIO', 'EROFS')) await requireVolumeRoom(this.#folder, 0);
      throw error;
    }
  }

  /** About how many bytes of a layer are packed, while its volume is made. */
  packed(diffId: string): number {
    return this.#packed.get(diffId) ?? 0;
  }

  /** Bytes of a layer's volume; null when there is none. */
  async size(diffId: string): Promise<number | null> {
    try {
      return (await stat(join(this.#folder, volumeName(diffId)))).size;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return null;
      throw error;
    }
  }

  /**
   * What is wrong with a layer's volume, in words that follow its name; undefined: nothing. `size` is what it had when it was made, null
   * where nobody knows; `tree`: whether it must have one for trees, too.
   */
  async fault(diffId: string, size: number | null, tree: boolean): Promise<string | undefined> {
    const found = await this.size(diffId);
    if (found === null) return 'is missing';
    if (size !== null && found !== size) return `has ${found} bytes instead of ${size}`;
    const path = join(this.#folder, volumeName(diffId));
    if (!(await isSoundErofs(path))) return 'is damaged';
    if (!tree) return undefined;
    const ofTree = await this.findTree(diffId);
    if (ofTree === undefined) return 'is missing where trees are made of it';
    return (await isSoundErofs(ofTree)) ? undefined : 'is damaged where trees are made of it';
  }

  /** Removes those of a layer, to be made again. */
  async remove(diffId: string): Promise<void> {
    for (const name of [volumeName(diffId), treeVolumeName(diffId)])
      await rm(join(this.#folder, name), { force: true });
  }

  /** Removes the volumes of all layers but these; files that are no layer's volume stay. */
  async keepOnly(diffIds: ReadonlySet<string>): Promise<void> {
    const wanted = new Set([...diffIds].flatMap((diffId) => [volumeName(diffId), treeVolumeName(diffId)]));
    for (const name of await namesIn(this.#folder)) {
      if (/^(?:tree-)?sha256-[0-9a-f]{64}\.erofs$/.test(name) && !wanted.has(name))
        await rm(join(this.#folder, name));
    }
  }

  /** Removes the parts of volumes that a killed server left. Call it before the first `ensure`. */
  async removeParts(): Promise<void> {
    for (const name of await namesIn(this.#folder)) {
      if (/^(?:tree-)?sha256-[0-9a-f]{64}\.erofs\..*\.tmp$/.test(name))
        await rm(join(this.#folder, name), { force: true });
    }
  }
}

/** Names of 255 bytes, which the file system of the store can have, and a volume cannot: mkfs.erofs 1.5 ends with "No such file". */
async function refusalOf(folder: string): Promise<UserError | undefined> {
  const long = ['-regextype', 'posix-extended', '-regex', '.*/[^/]{255}', '-printf', '%P\\n', '-quit'];
  const found = await run(['find', folder, ...long], { env: { LC_ALL: 'C' } });
  if (found === '') return undefined;
  return new UserError(
    'INVALID',
    `A layer of the image has a name that is too long for nodes: ${printable(found)}.`,
    'Names may have 254 bytes. Rename that file where the image is made.',
  );
}
