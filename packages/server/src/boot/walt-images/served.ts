/** What nodes load of an image that brings its own boot scripts, copied when it is made: `/boot/MODEL`, and beside it `/boot`. */
import { link, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../platform/index.ts';
import {
  bytesOf,
  copyFile,
  join as joinPath,
  type Tree,
  type TreePlace,
  textOf,
  tooLarge,
} from '../../trees/index.ts';
import { type BootLimits, MAX_BOOT_ENTRIES, TEMPLATE_LIMIT } from '../bounds.ts';
import { servedFolder, type WaltImage } from './walt-image.ts';

/** All that is copied, in units of the largest file that nodes load. */
const FILES = 4;

/** Names that kernels have in such images, whatever comes behind them. */
const KERNEL = /^(?:kernel|vmlinu[xz]|[bzu]?image)/i;

/**
 * Copies what nodes load while they boot; notes which of it are templates. Links are followed inside the image, those out of
 * `/boot` from the models' own folders only. Throws UserError INVALID: when it is too much; or when a boot script names a kernel
 * that is a link to nowhere.
 */
export async function copyServed(
  tree: Tree,
  image: WaltImage,
  bootFolder: string,
  limits: BootLimits,
): Promise<void> {
  const copy = new ServedCopy(tree, image, limits.bootFile);
  const folder = servedFolder(bootFolder);
  await mkdir(folder);
  const models = Object.keys(image.scripts);
  for (const model of models) {
    const place = await tree.find(`/boot/${model}`);
    if (!place?.stats.isDirectory()) continue;
    await copy.folder(place.path, model, join(folder, model));
    await checkKernels(tree, model, place.path);
  }
  await copy.rest(folder, new Set(models));
}

class ServedCopy {
  readonly #tree: Tree;
  readonly #largest: number;
  readonly #templates: ReadonlyMap<string, WaltImage['templates'][number]>;
  /** Copies by inode: models share kernels by links. */
  readonly #copies = new Map<string, Buffer>();
  #entries = 0;
  #left: number;

  constructor(tree: Tree, image: WaltImage, largest: number) {
    this.#tree = tree;
    this.#largest = largest;
    this.#left = largest * FILES;
    this.#templates = new Map(image.templates.map((template) => [template.path, template]));
  }

  /** All of a folder. A folder in itself, as a link may make it, is left out. */
  async folder(path: string, name: string, target: string): Promise<void> {
    await this.#folder(path, name, Buffer.from(target), new Set([path]));
  }

  /** Files of `/boot` itself, as far as there is room: no script needs to name them. */
  async rest(folder: string, done: ReadonlySet<string>): Promise<void> {
    const boot = await this.#tree.find('/boot');
    const names = boot && (await this.#tree.names(boot.path, MAX_BOOT_ENTRIES));
    for (const name of names ?? []) {
      const place = await this.#tree.findFile(`/boot/${name}`);
      if (!place || done.has(name) || place.stats.size > Math.min(this.#left, this.#largest)) continue;
      await this.#file(place, name, Buffer.concat([Buffer.from(`${folder}/`), bytesOf(name)]));
    }
  }

  async #folder(path: string, name: string, target: Buffer, above: ReadonlySet<string>): Promise<void> {
    await mkdir(target);
    for (const entry of (await this.#tree.names(path, MAX_BOOT_ENTRIES + 1)) ?? []) {
      this.#entries += 1;
      if (this.#entries > MAX_BOOT_ENTRIES) throw tooManyEntries(name);
      const place = await this.#tree.find(joinPath(path, entry));
      const [inside, to] = [`${name}/${textOf(entry)}`, Buffer.concat([target, bytesOf(`/${entry}`)])];
      if (place?.stats.isDirectory() && !above.has(place.path)) {
        await this.#folder(place.path, inside, to, new Set([...above, place.path]));
      } else if (place?.stats.isFile()) await this.#file(place, inside, to);
    }
  }

  async #file({ path, stats }: TreePlace, name: string, target: Buffer): Promise<void> {
    this.#templates.get(textOf(path))?.served.push(name);
    const inode = `${stats.dev} ${stats.ino}`;
    const known = this.#copies.get(inode);
    if (known) return await link(known, target);
    const size = Number(stats.size);
    if (size > this.#left) throw tooLarge('What nodes load while they boot', size, this.#left);
    this.#left -= size;
    const file = await this.#tree.open(path);
    if (file) await copyFile(file, target, { limit: this.#largest, what: `/${textOf(path)}` });
    this.#copies.set(inode, target);
  }
}

/** A kernel that is missing would show at each boot, on a console only. */
async function checkKernels(tree: Tree, model: string, folder: string): Promise<void> {
  const names = (await tree.names(folder, MAX_BOOT_ENTRIES)) ?? [];
  for (const name of names) {
    if (!KERNEL.test(name) || (await tree.find(joinPath(folder, name)))) continue;
    const target = await tree.readLink(joinPath(folder, name));
    if (target === undefined || !(await isNamed(tree, folder, names, name))) continue;
    throw new UserError(
      'INVALID',
      `Nodes of the model ${model} would find no kernel: /${textOf(joinPath(folder, name))} is a link to ${textOf(target)}, where nothing is.`,
      'Install a kernel in the image, or mend that link.',
    );
  }
}

/** Scripts that are looked at, for one link. */
const MAX_SCRIPTS = 20;

/** Whether one of the folder's boot scripts has a name in it. */
async function isNamed(tree: Tree, folder: string, names: readonly string[], name: string): Promise<boolean> {
  const scripts = names.filter((one) => /\.(?:ipxe|uboot)$/.test(one)).slice(0, MAX_SCRIPTS);
  for (const script of scripts) {
    const place = await tree.findFile(joinPath(folder, script));
    if (!place || place.stats.size > TEMPLATE_LIMIT) continue;
    const text = (await tree.read(place.path, TEMPLATE_LIMIT))?.toString('latin1') ?? '';
    if (text.split(/[^\w.~+-]+/).includes(name)) return true;
  }
  return false;
}

function tooManyEntries(model: string): UserError {
  return new UserError(
    'INVALID',
    `/boot/${model.split('/')[0]} of the image has more than ${MAX_BOOT_ENTRIES} files, links followed.`,
    'Keep what nodes load while they boot in that folder, and nothing else.',
  );
}
