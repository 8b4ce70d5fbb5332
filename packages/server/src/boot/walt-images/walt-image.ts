/** Images made for WalT: they bring their own boot scripts, kernels and initrds, and mount their tree by NFS. */
import { join, posix } from 'node:path';
import * as z from 'zod';
import packageFile from '../../../../../package.json' with { type: 'json' };
import { UserError } from '../../platform/index.ts';
import { rawOf, type Tree, textOf, tooLarge } from '../../trees/index.ts';
import { TEMPLATE_LIMIT, TEMPLATES_LIMIT } from '../bounds.ts';
import { readImageSpec } from './image-spec.ts';
import { insidePath } from './inside-path.ts';

/** What nodes of a model run first, in `/boot/MODEL`: by iPXE or by U-Boot. */
const SCRIPTS = ['start.ipxe', 'start.uboot'] as const;
export type BootScript = (typeof SCRIPTS)[number];

const MODELS_LABEL = 'walt.node.models';
const MINVERSION_LABEL = 'walt.server.minversion';
/** Of a label's models, so many are looked at. */
const MAX_MODELS = 100;
const PREFERRED_NAME_LABEL = 'walt.image.preferred-name';

type Labels = Readonly<Record<string, string>>;

/** A file in which the server writes what differs from platform to platform. */
const template = z.object({
  /** In the image, without a leading slash. */
  path: insidePath,
  mode: z.number(),
  content: z.string(),
  /** Under which names nodes load it while they boot, as `MODEL/start.ipxe`. */
  served: z.array(z.string()),
});

export const waltImage = z.object({
  /** Where `/bin` really is, without a leading slash. */
  bin: insidePath,
  /** By model. */
  scripts: z.record(z.string(), z.enum(SCRIPTS)),
  templates: z.array(template),
  /** Folders that it lacks and nodes need. */
  folders: z.array(z.object({ path: insidePath, mode: z.number() })),
  /** Where nodes get the platform's busybox, if the image has none. */
  busybox: insidePath.optional(),
});
export type WaltImage = z.infer<typeof waltImage>;

/** Copy of the image's `/boot`, below its boot files: in it, a folder for each model that has a script. */
export function servedFolder(bootFolder: string): string {
  return join(bootFolder, 'walt');
}

/** Throws UserError INVALID when the image's label asks for a newer server. */
export function requireServerVersion(labels: Labels, version = packageFile.version): void {
  const wanted = labels[MINVERSION_LABEL]?.trim() ?? '';
  if (!/^\d{1,9}(?:\.\d{1,9}){0,9}$/.test(wanted) || compareVersions(wanted, version) <= 0) return;
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
  tree: Tree,
  labels: Labels,
): Promise<Omit<WaltImage, 'folders'> | undefined> {
  const models = new Set((labels[MODELS_LABEL] ?? '').split(',', MAX_MODELS).map((model) => model.trim()));
  const scripts: WaltImage['scripts'] = {};
  for (const model of models) {
    if (!/^[a-z0-9][a-z0-9-]{0,62}$/.test(model)) continue;
    for (const script of [...SCRIPTS].reverse()) {
      if ((await tree.findFile(`/boot/${model}/${script}`)) !== undefined) scripts[model] = script;
    }
  }
  if (Object.keys(scripts).length === 0) return undefined;
  const templates: WaltImage['templates'] = [];
  let total = 0;
  for (const path of (await readImageSpec(tree)).templates) {
    const file = await tree.findFile(rawOf(path));
    const content = file && (await tree.readText(file.path, TEMPLATE_LIMIT));
    if (!file || content === undefined) continue;
    total += content.length;
    if (total > TEMPLATES_LIMIT) throw tooLarge('What image.spec names as templates', total, TEMPLATES_LIMIT);
    // Root writes it anew: no set-user-ID.
    const mode = Number(file.stats.mode) & 0o777;
    templates.push({ path: textOf(file.path), mode, content, served: [] });
  }
  return { bin: posix.dirname((await tree.placeFor('/bin/x')) ?? 'bin/x'), scripts, templates };
}
