import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Architecture } from '@walt/contract';
import {
  fileExists,
  namesIn,
  publishFile,
  run,
  unmountIn,
  withFileLock,
  withFreeFileLock,
} from '../../platform/index.ts';
import { removeTree } from '../../trees/index.ts';
import type { Report } from '../progress.ts';
import type { HostCommand } from '../types.ts';
import { readAptSetup, readRelease } from './apt-sources.ts';
import { MakingProgress } from './making-progress.ts';
import { DEFAULT_IMAGE, mmdebstrapCommand, parsePackages, RECIPE, type Recipe, recipeKey } from './recipe.ts';

interface Making {
  /** Makes it again where the cache has it: packages may have newer versions. */
  renew: boolean;
  cache: string;
  host: HostCommand;
  signal: AbortSignal;
  report: Report;
}

interface Task extends Making {
  /** What the tar's file is called in the cache, before its recipe's key. */
  name: string;
  recipe: Recipe;
  architecture: Architecture;
  packages: readonly string[];
}

/** The default image of an architecture as a tar, from the cache or made. See `ensureTar`. */
export async function ensureDefaultTar(task: Making & { architecture: Architecture }): Promise<string> {
  const { architecture } = task;
  const packages = parsePackages(await readFile(join(RECIPE, 'packages'), 'utf8'), architecture);
  return ensureTar({ ...task, name: `default-${architecture}`, recipe: DEFAULT_IMAGE, packages });
}

/** Where the cache has it, or would. */
export async function tarPath({
  name,
  recipe,
  architecture,
  packages,
  cache,
}: Pick<Task, 'name' | 'recipe' | 'architecture' | 'packages' | 'cache'>): Promise<string> {
  // How packages are reached makes no difference here: apt, which is slow to tell it, is asked only when there is a tar to make.
  const apt = { release: await readRelease(), options: [] };
  const key = await recipeKey(
    mmdebstrapCommand({ architecture, packages, apt, tar: '', recipe }),
    recipe.folder,
  );
  return join(cache, `${name}-${key}.tar`);
}

/**
 * A root file system as a tar, from the cache or made from Debian packages. One maker at a time, of all the platforms that share
 * the cache. Answers its path. Throws ExternalError when a package cannot be had.
 */
export async function ensureTar(task: Task): Promise<string> {
  const { name, recipe, architecture, packages, cache, renew, signal, report } = task;
  const tar = await tarPath(task);
  await mkdir(cache, { recursive: true });
  if (!renew && (await fileExists(tar))) return tar;
  const waiting = () => report('Waiting for another platform that makes the same image');
  return withFileLock(join(cache, `${name}.lock`), signal, waiting, async () => {
    if (!renew && (await fileExists(tar))) return tar;
    const apt = await readAptSetup();
    const command = (temporary: string) =>
      mmdebstrapCommand({ architecture, packages, apt, tar: temporary, recipe });
    await make(task, command, tar, `${apt.sources.join('\n')}\n`);
    await removeOthers(cache, name, tar);
    return tar;
  });
}

/**
 * Removes what makers left in the cache that were killed, mounts of an older version included. What somebody makes just now, of
 * this platform or of another one that shares the cache, stays.
 */
export async function sweepMaking(cache: string): Promise<void> {
  const parts = (await namesIn(cache)).flatMap((part) => {
    const name = PART.exec(part)
      ?.slice(1)
      .find((group) => group !== undefined);
    return name === undefined ? [] : [{ name, path: join(cache, part) }];
  });
  for (const { name, path } of parts) {
    await withFreeFileLock(join(cache, `${name}.lock`), async () => {
      await unmountIn(path);
      await removeTree(path);
    });
  }
}

/** Folders and files of a maker, with the name of what is made. */
const PART = /^(.+)\.scratch$|^(.+)-[0-9a-f]{16}\.tar\.tmp$/;

async function make(
  task: Task,
  command: (tar: string) => string[],
  tar: string,
  sources: string,
): Promise<void> {
  const { name, cache, host, signal, report } = task;
  const temporary = `${tar}.tmp`;
  const scratch = join(cache, `${name}.scratch`);
  const progress = new MakingProgress(report);
  await removeTree(scratch);
  await mkdir(scratch, { mode: 0o755 });
  try {
    // With mounts and processes of its own: however it ends, nothing of them is left (unshare(1)).
    const alone = ['unshare', '--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc', '--'];
    await run(host([...alone, ...command(temporary)]), {
      input: sources,
      // INITRD: kernel packages make no initramfs; nodes would not use it.
      env: { TMPDIR: scratch, INITRD: 'No', LC_ALL: 'C.UTF-8' },
      signal,
      onStderrLine: (line) => progress.line(line),
      onStdoutLine: (line) => progress.line(line),
    });
    await publishFile(temporary, tar);
  } finally {
    await rm(temporary, { force: true });
    await removeTree(scratch);
  }
}

/** Tars of older recipes. */
async function removeOthers(cache: string, prefix: string, tar: string): Promise<void> {
  const stale = new RegExp(`^${prefix}-[0-9a-f]{16}\\.tar$`);
  for (const name of await readdir(cache)) {
    if (stale.test(name) && join(cache, name) !== tar) await rm(join(cache, name));
  }
}
