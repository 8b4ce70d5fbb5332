/**
 * Device trees that come with a kernel: what tells it which hardware a board has. A board's loader gives it the one that the server
 * names, so all of an image's are kept in one file: a line of JSON, `{"broadcom/bcm2711-rpi-4-b.dtb":[START,LENGTH]}`, then their
 * bytes. Starts count from behind the line.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { hasErrno } from '../../platform/index.ts';
import { join as joinPath, type Tree, type TreePlace, tooLarge } from '../../trees/index.ts';
import { DEVICE_TREE_LIMIT, DEVICE_TREES_LIMIT, INDEX_LIMIT, MAX_DEVICE_TREES } from '../bounds.ts';
import type { Kernel } from './kernel.ts';

/** The file in an image's boot folder. */
export const DEVICE_TREES = 'device-trees';

/** Where distributions have them: Debian and Raspberry Pi OS; Fedora; Ubuntu; Arch, Alpine and flash-kernel; openSUSE. */
function foldersOf({ release, modules }: Pick<Kernel, 'release' | 'modules'>): string[] {
  return [
    `/usr/lib/linux-image-${release}`,
    `${modules}/dtb`,
    `/lib/firmware/${release}/device-tree`,
    `/boot/dtbs/${release}`,
    `/boot/dtb-${release}`,
  ];
}

/** A name that can stand in a boot script, in its vendor's folder or in none. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_+.-]{0,99}$/;
const FILE = /^[A-Za-z0-9][A-Za-z0-9_+.-]{0,99}\.dtb$/;
/** What is looked at: overlays lie beside device trees. */
const MAX_ENTRIES = 4 * MAX_DEVICE_TREES;

export interface DeviceTreePlace {
  /** `VENDOR/NAME.dtb`, or `NAME.dtb`. */
  name: string;
  file: TreePlace;
}

/** Those of the first folder that has some, in order of their names. */
export async function findDeviceTrees(
  tree: Tree,
  kernel: Pick<Kernel, 'release' | 'modules'>,
): Promise<DeviceTreePlace[]> {
  for (const folder of foldersOf(kernel)) {
    const found: DeviceTreePlace[] = [];
    const entries = (await tree.names(folder, MAX_ENTRIES)) ?? [];
    for (const entry of entries.filter((name) => NAME.test(name)).sort()) {
      if (FILE.test(entry)) await add(tree, found, entry, joinPath(folder, entry));
      else {
        const names = (await tree.names(joinPath(folder, entry), MAX_ENTRIES)) ?? [];
        for (const name of names.filter((one) => FILE.test(one)).sort())
          await add(tree, found, `${entry}/${name}`, joinPath(folder, `${entry}/${name}`));
      }
    }
    if (found.length > 0) return found;
  }
  return [];
}

async function add(tree: Tree, found: DeviceTreePlace[], name: string, path: string): Promise<void> {
  const file = await tree.findFile(path);
  if (!file) return;
  found.push({ name, file });
  if (found.length > MAX_DEVICE_TREES) {
    throw tooLarge('The number of device trees of the kernel', found.length, MAX_DEVICE_TREES);
  }
}

/** Throws UserError INVALID when they are too large. */
export async function packDeviceTrees(tree: Tree, places: readonly DeviceTreePlace[]): Promise<Buffer> {
  const index: Record<string, [number, number]> = {};
  const parts: Buffer[] = [];
  let at = 0;
  for (const { name, file } of places) {
    const bytes = await tree.read(file.path, DEVICE_TREE_LIMIT);
    if (!bytes) continue;
    index[name] = [at, bytes.length];
    parts.push(bytes);
    at += bytes.length;
    if (at > DEVICE_TREES_LIMIT)
      throw tooLarge('What the kernel has as device trees', at, DEVICE_TREES_LIMIT);
  }
  return Buffer.concat([Buffer.from(`${JSON.stringify(index)}\n`), ...parts]);
}

const indexForm = z.record(z.string(), z.tuple([z.int().nonnegative(), z.int().nonnegative()]));

/** The device trees of an image. */
export class DeviceTrees {
  readonly names: readonly string[];
  readonly #index: z.infer<typeof indexForm>;
  readonly #path: string;
  readonly #start: number;

  private constructor(path: string, index: z.infer<typeof indexForm>, start: number) {
    this.names = Object.keys(index);
    this.#path = path;
    this.#index = index;
    this.#start = start;
  }

  /** `folder`: the image's boot files. One without device trees has none. */
  static async open(folder: string): Promise<DeviceTrees> {
    const path = join(folder, DEVICE_TREES);
    const line = await withFile(path, readLine);
    if (line === undefined) return new DeviceTrees(path, {}, 0);
    return new DeviceTrees(path, indexForm.parse(JSON.parse(line.toString())), line.length);
  }

  /**
   * The name here of the first of `wanted` that is there: with its vendor's folder, with another one or without, since kernels moved
   * them there and loaders' words are older.
   */
  find(wanted: readonly string[]): string | undefined {
    for (const one of wanted) {
      const file = one.split('/').at(-1);
      const found = this.names.includes(one)
        ? one
        : this.names.find((name) => name.split('/').at(-1) === file);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Its bytes; undefined when there is none of that name, however the name is written. */
  async read(name: string): Promise<Buffer | undefined> {
    const place = Object.hasOwn(this.#index, name) ? this.#index[name] : undefined;
    if (!place) return undefined;
    const [start, length] = place;
    return withFile(this.#path, async (file) => {
      const bytes = Buffer.alloc(length);
      const { bytesRead } = await file.read(bytes, 0, length, this.#start + start);
      if (bytesRead !== length) throw new Error(`${this.#path} is shorter than it says`);
      return bytes;
    });
  }
}

async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T | undefined> {
  try {
    await using file = await open(path, 'r');
    return await use(file);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** The first line of a file, with its end. */
async function readLine(file: FileHandle): Promise<Buffer> {
  const piece = Buffer.alloc(INDEX_LIMIT);
  const { bytesRead } = await file.read(piece, 0, piece.length, 0);
  return piece.subarray(0, piece.subarray(0, bytesRead).indexOf('\n') + 1);
}
