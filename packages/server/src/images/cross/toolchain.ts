import { mkdir, readdir, readFile, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Architecture } from '@walt/contract';
import { fileExists, projectFile, run, syncFolder } from '../../platform/index.ts';
import { removeTree } from '../../trees/index.ts';
import { serverArchitecture } from '../architectures.ts';
import type { Report } from '../progress.ts';
import { ensureTar, parsePackages, type Recipe, tarPath } from '../recipes/index.ts';
import type { HostCommand } from '../types.ts';
import { compilerPackages, targetOf } from './target.ts';

const RECIPE: Recipe = { folder: projectFile('images/toolchain'), hooks: ['customize-hook'] };

interface Task {
  cache: string;
  host: HostCommand;
  signal: AbortSignal;
  report: Report;
}

/** The toolchain for `architecture` as a tar, from the cache or made from Debian packages. Answers its path. */
export async function toolchainTar(architecture: Architecture, task: Task): Promise<string> {
  return ensureTar({ ...task, ...(await describeTar(architecture)), renew: false });
}

/** Where the cache has that tar, or would. */
export async function toolchainTarPath(architecture: Architecture, cache: string): Promise<string> {
  return tarPath({ ...(await describeTar(architecture)), cache });
}

async function describeTar(architecture: Architecture) {
  const server = serverArchitecture();
  const packages = [
    ...parsePackages(await readFile(join(RECIPE.folder, 'packages'), 'utf8'), server),
    ...compilerPackages(targetOf(architecture), server),
  ];
  return { name: `toolchain-${architecture}`, recipe: RECIPE, architecture: server, packages };
}

/**
 * The root file system, for the server's own CPU, that has what builds for `architecture`: unpacked in `folder`, made from Debian
 * packages the first time. Answers its path. One call at a time per architecture. Throws ExternalError when a package cannot be had.
 */
export async function ensureToolchain(
  architecture: Architecture,
  folder: string,
  task: Task,
): Promise<string> {
  const tar = await toolchainTar(architecture, task);
  const root = join(folder, basename(tar, '.tar'));
  if (await fileExists(root)) return root;
  task.report('Unpacking the compiler');
  const temporary = `${root}.tmp`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await removeTree(temporary);
  await mkdir(temporary);
  await run([
    'tar',
    '--extract',
    '--numeric-owner',
    '--same-permissions',
    '--file',
    tar,
    '--directory',
    temporary,
  ]);
  await run(['sync', '--file-system', '--', temporary]);
  await rename(temporary, root);
  await syncFolder(folder);
  for (const other of await readdir(folder)) {
    if (other.startsWith(`toolchain-${architecture}-`) && other !== basename(root))
      await removeTree(join(folder, other));
  }
  return root;
}
