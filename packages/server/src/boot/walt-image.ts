/** Images made for WalT: they bring their own boot scripts, kernels and initrds, and mount their tree by NFS. */
import { constants, copyFile, link, lstat, mkdir, readdir, readFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { z } from 'zod';
import packageFile from '../../../../package.json' with { type: 'json' };
import { UserError } from '../platform/index.ts';
import type { ImageRoot } from './image-root.ts';
import { readImageSpec, TEMPLATE_LIMIT } from './image-spec.ts';

/** What nodes of a model run first, in `/boot/MODEL`: by iPXE or by U-Boot. */
const SCRIPTS = ['start.ipxe', 'start.uboot'] as const;
export type BootScript = (typeof SCRIPTS)[number];

const MODELS_LABEL = 'walt.node.models';
const MINVERSION_LABEL = 'walt.server.minversion';
const PREFERRED_NAME_LABEL = 'walt.image.preferred-name';

type Labels = Readonly<Record<string, string>>;

/** A file in which the server writes what differs from platform to platform. */
const template = z.object({
  /** In the image, without a leading slash. */
  path: z.string(),
  mode: z.number(),
  content: z.string(),
  /** Under which names nodes load it while they boot, as `MODEL/start.ipxe`. */
  served: z.array(z.string()),
});

export const waltImage = z.object({
  /** Where `/bin` really is, without a leading slash. */
  bin: z.string(),
  /** By model. */
  scripts: z.record(z.string(), z.enum(SCRIPTS)),
  templates: z.array(template),
  /** Folders that it lacks and nodes need. */
  folders: z.array(z.object({ path: z.string(), mode: z.number() })),
  /** Where nodes get the platform's busybox, if the image has none. */
  busybox: z.string().optional(),
});
export type WaltImage = z.infer<typeof waltImage>;

/** Folder of what a model's nodes load while they boot, below the image's boot files. */
export function servedFolder(bootFolder: string, model: string): string {
  return join(bootFolder, 'walt', model);
}

/** Throws UserError INVALID when the image's label asks for a newer server. */
export function requireServerVersion(labels: Labels, version = packageFile.version): void {
  const wanted = labels[MINVERSION_LABEL]?.trim() ?? '';
  if (!/^\d+(\.\d+)*$/.test(wanted) || compareVersions(wanted, version) <= 0) return;
  throw new UserError(
    'INVALID',
    `This image needs WalT ${wanted} or newer; this server is ${version}.`,
    'Take an older version of the image (another tag), or update the server.',
  );
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** How its maker would have the image called; undefined when he does not care. */
export function preferredName(labels: Labels): string | undefined {
  return labels[PREFERRED_NAME_LABEL]?.trim() || undefined;
}

/**
 * What makes an image one for WalT: a label with models, and a boot script for at least one of them. Undefined for others.
 * Throws UserError INVALID when its `/etc/walt/image.spec` cannot be read.
 */
export async function readWaltImage(
  root: ImageRoot,
  labels: Labels,
): Promise<Omit<WaltImage, 'folders'> | undefined> {
  const models = (labels[MODELS_LABEL] ?? '').split(',').map((model) => model.trim());
  const scripts: WaltImage['scripts'] = {};
  for (const model of models) {
    if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(model)) continue;
    for (const script of [...SCRIPTS].reverse()) {
      if ((await root.resolveFile(`/boot/${model}/${script}`)) !== undefined) scripts[model] = script;
    }
  }
  if (Object.keys(scripts).length === 0) return undefined;
  const templates: WaltImage['templates'] = [];
  for (const path of (await readImageSpec(root)).templates) {
    const file = await root.resolveFile(path);
    if (file === undefined) continue;
    const { mode, size } = await lstat(file);
    if (size > TEMPLATE_LIMIT) {
      throw new UserError('INVALID', `The template ${path} of the image is too large.`, 'Shorten the file.');
    }
    const content = await readFile(file, 'utf8');
    templates.push({ path: await root.place(path), mode: mode & 0o7777, content, served: [] });
  }
  return { bin: await root.place('/bin/x').then(posix.dirname), scripts, templates };
}

/** Copies all that nodes load while they boot; links are followed. Notes which of it are templates. */
export async function copyServed(root: ImageRoot, image: WaltImage, bootFolder: string): Promise<void> {
  const templates = new Map<string, WaltImage['templates'][number]>();
  for (const one of image.templates) {
    const file = await root.resolveFile(`/${one.path}`);
    if (file !== undefined) templates.set(file, one);
  }
  /** Models share kernels by links. */
  const copies = new Map<string, string>();
  const copy = async (path: string, name: string, target: string, depth: number): Promise<void> => {
    const source = await root.resolve(path);
    if (source === undefined) return;
    const stats = await lstat(source);
    if (stats.isDirectory() && depth < MAX_DEPTH) {
      for (const entry of await readdir(source)) {
        await copy(posix.join(path, entry), posix.join(name, entry), join(target, entry), depth + 1);
      }
    } else if (stats.isFile()) {
      templates.get(source)?.served.push(name);
      await mkdir(dirname(target), { recursive: true });
      const known = copies.get(source);
      if (known !== undefined) await link(known, target);
      else await copyFile(source, target, constants.COPYFILE_FICLONE);
      copies.set(source, known ?? target);
    }
  };
  for (const model of Object.keys(image.scripts)) {
    await copy(`/boot/${model}`, model, servedFolder(bootFolder, model), 0);
  }
}

/** Links may lead in circles. */
const MAX_DEPTH = 8;
