import { randomBytes } from 'node:crypto';
import { chmod, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import type { Architecture, Lend } from '@walt/contract';
import { defaultLimits, hasErrno, type Paths, syncFolder, UserError } from '../platform/index.ts';
import { type Tree, textOf, withTree } from '../trees/index.ts';
import {
  type BootRecord,
  bootFaults,
  describeFiles,
  imageBootFolder,
  LAYOUT,
  readBootRecord,
} from './boot-files.ts';
import type { BootLimits } from './bounds.ts';
import type { BootPlan } from './directory.ts';
import { findKernels, type KernelFiles, type Kernels, writeKernelFiles } from './kernel/index.ts';
import type { ImageConfig } from './lending/index.ts';
import {
  ensureModules,
  ensureTools,
  LENT_VOLUME,
  lentFiles,
  planLends,
  readFacts,
  TREE,
} from './lending/index.ts';
import { imageModels } from './scripts/index.ts';
import { copyServed, readWaltImage, requireServerVersion, type WaltImage } from './walt-images/index.ts';

export interface ImageTree {
  /** `sha256:HEX`. */
  digest: string;
  architecture: Architecture;
  /** Folder where its file tree is mounted; must not change meanwhile. */
  root: string;
  /** Digest of the image that it is a change of, if it is one: what stays the same is not made again. */
  base?: string | undefined;
  config: ImageConfig;
  /** Set: what is there already may be damaged, and is made again. */
  anew?: boolean | undefined;
  /**
   * Calls `use` with the mounted tree of the platform's default image of that architecture, which lends to images what they
   * lack. Undefined, without a call, when there is none.
   */
  withLender<T>(use: (lender: { digest: string; root: string }) => Promise<T>): Promise<T | undefined>;
}

export interface PreparedBoot {
  /** Release of the kernel that nodes boot, its own or a lent one; null: it cannot boot, since nobody lends what it lacks. */
  kernel: string | null;
  /** That of real nodes, where it is another one. */
  realKernel?: string | undefined;
  bootPlan: BootPlan;
  /** Node models that it is for; they can boot it unless `kernel` is null. */
  models: string[];
  /** What the image lacks and nodes get from the platform. */
  lends: Lend[];
}

type PreparePaths = Pick<Paths, 'bootFiles' | 'volumes' | 'busybox'>;

const UNFINISHED = '.tmp';

/** Release of a kernel that is not where other images have theirs. */
const OWN_KERNEL = 'own';

/**
 * Removes what a server that was killed while it prepared an image left behind, and lent volumes that no image needs any more.
 * Only before anything is prepared.
 */
export async function sweepBootFiles(paths: Pick<Paths, 'bootFiles' | 'volumes'>): Promise<void> {
  const { bootFiles, volumes } = paths;
  await makePrivate(bootFiles);
  await mkdir(volumes, { recursive: true });
  const needed = new Set<string>();
  for (const name of await readdir(bootFiles)) {
    if (name.endsWith(UNFINISHED)) await rm(join(bootFiles, name), { recursive: true, force: true });
    else if (/^[0-9a-f]{64}$/.test(name)) {
      const record = await readBootRecord(paths, `sha256:${name}`);
      for (const volume of record?.loan?.volumes ?? []) needed.add(volume);
    }
  }
  for (const name of await readdir(volumes)) {
    if (LENT_VOLUME.test(name) && !needed.has(name)) await rm(join(volumes, name));
  }
}

/**
 * Makes what nodes load to boot an image, in `bootFiles/HEX/`; all of it or nothing. A second call finds it there. What the
 * image lacks is lent by the platform's default image as it is now, and stays the same for this image. The image's own initrd
 * is neither used nor made. Throws UserError UNAVAILABLE when a part of what is lent cannot be had.
 */
export async function prepareBootFiles(
  image: ImageTree,
  paths: PreparePaths,
  limits: BootLimits = defaultLimits(),
): Promise<PreparedBoot> {
  const known = await readBootRecord(paths, image.digest);
  // Without a kernel, there was nobody to lend one: perhaps there is now.
  if (known?.layout === LAYOUT && known.kernel !== null && !image.anew) return answer(known);
  requireServerVersion(image.config.labels);
  const folder = imageBootFolder(paths, image.digest);
  const temporary = `${folder}.${randomBytes(6).toString('hex')}${UNFINISHED}`;
  await makePrivate(paths.bootFiles);
  await mkdir(temporary, { mode: 0o700 });
  try {
    const made = await withTree(image.root, (tree) => makeBootFiles(image, tree, temporary, paths, limits));
    const record: BootRecord = { ...made, files: await describeFiles(temporary, made.files) };
    // It may hold passwords' hashes and the secrets of an image's environment.
    await writeFile(join(temporary, 'boot.json'), `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
    await replaceFolder(temporary, folder);
    return answer(record);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Makes the files in `folder`; answers what they are. */
async function makeBootFiles(
  image: ImageTree,
  tree: Tree,
  folder: string,
  paths: PreparePaths,
  limits: BootLimits,
): Promise<Omit<BootRecord, 'files'> & Pick<KernelFiles, 'files'>> {
  const kernels = await findKernels(tree);
  const walt = await prepareWaltImage(image, tree, folder, limits);
  const lends = walt ? [] : planLends(await readFacts(tree, kernels !== undefined));
  const like = image.base && (await soundOne(image, image.base, paths));
  const how = { like, architecture: image.architecture, paths, limits };
  const parts = walt
    ? { kernel: kernels?.newest.release ?? OWN_KERNEL, bootPlan: 'nfs-root' as const, walt, deviceTrees: [] }
    : lends.length === 0 && kernels
      ? await writeKernelFiles(tree, kernels, folder, how)
      : await borrow(image, { tree, kernels, lends }, folder, paths, limits);
  const bin = textOf((await tree.placeFor('/bin/x')) ?? '');
  const { deviceTrees, ...files } = parts ?? { kernel: null, bootPlan: null, deviceTrees: [] };
  return {
    layout: LAYOUT,
    architecture: image.architecture,
    ...files,
    models: walt
      ? Object.keys(walt.scripts)
      : imageModels(image.architecture, image.config.labels, deviceTrees),
    lends,
    ...(bin.includes('/') && { bin: posix.dirname(bin) }),
  };
}

/** Makes a folder that nobody but root can enter, whatever lies in it; one of an older server was open to all. */
async function makePrivate(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
}

/** Whether an image has boot files that this server can use. */
export async function hasBootFiles(digest: string, paths: Pick<Paths, 'bootFiles'>): Promise<boolean> {
  return (await readBootRecord(paths, digest))?.layout === LAYOUT;
}

/** Images made for WalT must have it, for programs of their own; those without get ours. */
const BUSYBOX = '/bin/busybox';

/** What an image made for WalT says of itself, and what its nodes load; undefined for others. */
async function prepareWaltImage(
  { config }: ImageTree,
  tree: Tree,
  folder: string,
  limits: BootLimits,
): Promise<WaltImage | undefined> {
  const found = await readWaltImage(tree, config.labels);
  if (!found) return undefined;
  if (!(await readFacts(tree, true)).init) {
    throw new UserError(
      'INVALID',
      'The image is made for WalT, but has no init: nodes would find nothing to start.',
      'Install one at /sbin/init, or remove the label walt.node.models to be lent one.',
    );
  }
  const lacking = await lentFiles(tree, [], config);
  const folders = lacking.flatMap((one) =>
    one.type === 'folder' ? [{ path: one.path, mode: one.mode }] : [],
  );
  if ((await tree.find('/persist')) === undefined) folders.push({ path: 'persist', mode: 0o755 });
  const place = (await tree.find(BUSYBOX)) === undefined ? await tree.placeFor(BUSYBOX) : undefined;
  const walt = { ...found, folders, ...(place !== undefined && { busybox: textOf(place) }) };
  await copyServed(tree, walt, folder, limits);
  return walt;
}

function answer({ kernel, realKernel, bootPlan, models, lends }: BootRecord): PreparedBoot {
  return { kernel, ...(realKernel !== undefined && { realKernel }), bootPlan, models, lends };
}

/** The boot files of an image that lacks something; undefined when nobody is there who could lend it. */
async function borrow(
  image: ImageTree,
  own: { tree: Tree; kernels: Kernels | undefined; lends: readonly Lend[] },
  folder: string,
  paths: PreparePaths,
  limits: BootLimits,
): Promise<(Pick<BootRecord, 'loan'> & KernelFiles) | undefined> {
  return image.withLender(({ digest, root }) =>
    withTree(root, async (tree) => {
      const kernels = await findKernels(tree);
      if (!kernels) return undefined;
      const lender = { digest, tree, kernels };
      const files = await lentFiles(own.tree, own.lends, image.config);
      const volumes: string[] = [];
      if (own.lends.some((lend) => lend !== 'kernel') || files.some(({ type }) => type === 'link')) {
        volumes.push(await ensureTools(lender, image.architecture, paths));
      }
      if (!own.kernels) {
        const modules = (await own.tree.placeFor('/lib/modules')) ?? 'lib/modules';
        volumes.push(await ensureModules(lender, dirname(textOf(modules)), paths));
      }
      const { architecture } = image;
      const made = own.kernels
        ? await writeKernelFiles(own.tree, own.kernels, folder, {
            like: image.base && (await soundOne(image, image.base, paths)),
            architecture,
            paths,
            limits,
          })
        : await writeKernelFiles(tree, kernels, folder, {
            like: await soundOne(image, digest, paths),
            architecture,
            paths,
            limits,
          });
      return { ...made, loan: { volumes, files } };
    }),
  );
}

/** An image whose files may be shared: where some are damaged, only one whose files were looked at. */
async function soundOne(
  { anew }: ImageTree,
  digest: string,
  paths: Pick<Paths, 'bootFiles'>,
): Promise<string | undefined> {
  return anew && (await bootFaults(digest, paths)).length > 0 ? undefined : digest;
}

/** A server of an older layout may have left a folder there. Its trees stay: nodes that run may have their root in one. */
async function replaceFolder(temporary: string, folder: string): Promise<void> {
  for (const name of await readdir(temporary, { recursive: true })) {
    await using file = await open(join(temporary, name), 'r');
    await file.sync();
  }
  const old = `${folder}.${randomBytes(6).toString('hex')}${UNFINISHED}`;
  try {
    await rename(folder, old);
    for (const name of await readdir(old)) {
      if (TREE.test(name)) await rename(join(old, name), join(temporary, name));
    }
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
  await rename(temporary, folder);
  await syncFolder(dirname(folder));
  await rm(old, { recursive: true, force: true });
}
