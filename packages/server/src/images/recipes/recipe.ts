/** Recipes of what is made from Debian packages: folders of the repository, each with a list of packages and hooks. */
import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Architecture } from '@walt/contract';
import { projectFile } from '../../platform/index.ts';
import type { AptSetup } from './apt-sources.ts';

/** Recipe of the default image. */
export const RECIPE = projectFile('images/debian');

export interface Recipe {
  folder: string;
  /** Programs of the folder, named as the option of mmdebstrap(1) that runs them. */
  hooks: readonly string[];
}

export const DEFAULT_IMAGE: Recipe = {
  folder: RECIPE,
  hooks: ['extract-hook', 'essential-hook', 'customize-hook'],
};

/** Names of the packages for one architecture, from the text of the recipe's `packages`. */
export function parsePackages(text: string, architecture: Architecture): string[] {
  return text.split('\n').flatMap((line) => {
    const [, only, name] = /^(?:\[([a-z0-9 ]+)\]\s*)?([a-z0-9][a-z0-9.+-]*)\s*(?:#.*)?$/.exec(line) ?? [];
    if (name === undefined) return [];
    return only === undefined || only.split(' ').includes(architecture) ? [name] : [];
  });
}

/** Parts of packages that a node has no use for: what they hold is on the web, or in other languages. */
const excluded = ['doc', 'info', 'locale', 'man'].map((name) => `path-exclude=/usr/share/${name}/*`);
const dpkgOptions = [...excluded, 'path-include=/usr/share/doc/*/copyright'];

/** Folders of the kernel's modules that are of no use on a PC without a screen: they would be a third of the image. */
const excludedModules = [
  'sound',
  ...['gpu', 'media', 'infiniband', 'iio', 'staging', 'comedi', 'isdn'].map((name) => `drivers/${name}`),
];

function dpkgOptionsOf(architecture: Architecture): string[] {
  // Boards have displays, cameras and sensors that belong to them.
  if (architecture !== 'amd64') return dpkgOptions;
  return [...dpkgOptions, ...excludedModules.map((name) => `path-exclude=/lib/modules/*/kernel/${name}/*`)];
}

/** The command line that makes the image as a tar; the sources of its packages go to standard input. */
export function mmdebstrapCommand(make: {
  architecture: Architecture;
  packages: readonly string[];
  apt: Pick<AptSetup, 'release' | 'options'>;
  tar: string;
  recipe?: Recipe;
}): string[] {
  const { architecture, packages, apt, tar, recipe = DEFAULT_IMAGE } = make;
  // mmdebstrap runs hooks by a shell, with the root folder as $1: our path has to pass it as one word.
  const hook = (name: string) => `--${name}=${shellWord(join(recipe.folder, name))} "$1"`;
  return [
    'mmdebstrap',
    '--verbose',
    '--mode=root',
    '--variant=minbase',
    '--format=tar',
    `--architectures=${architecture}`,
    `--include=${packages.join(',')}`,
    ...apt.options.map((option) => `--aptopt=${option}`),
    ...dpkgOptionsOf(architecture).map((option) => `--dpkgopt=${option}`),
    ...recipe.hooks.map(hook),
    apt.release,
    tar,
    '-',
  ];
}

function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * Stands for all that makes one image differ from another, but for the versions of its packages: 16 hexadecimal digits.
 * Where the recipe lies and how repositories are reached makes no difference.
 */
export async function recipeKey(command: readonly string[], folder = RECIPE): Promise<string> {
  const hash = createHash('sha256');
  for (const part of command) {
    if (!part.startsWith('--aptopt=')) hash.update(`${part.replaceAll(folder, '')}\0`);
  }
  await hashFolder(folder, '', hash);
  return hash.digest('hex').slice(0, 16);
}

async function hashFolder(root: string, folder: string, hash: ReturnType<typeof createHash>): Promise<void> {
  for (const name of (await readdir(join(root, folder))).sort()) {
    const path = join(folder, name);
    const stats = await lstat(join(root, path));
    // Whoever checked it out decides about owner and umask: only the x bit counts.
    hash.update(`${path}\0${stats.mode & 0o100}\0`);
    if (stats.isDirectory()) await hashFolder(root, path, hash);
    else if (stats.isSymbolicLink()) hash.update(await readlink(join(root, path)));
    else hash.update(await readFile(join(root, path)));
  }
}
