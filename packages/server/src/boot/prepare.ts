import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import {
  constants,
  copyFile,
  link,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Architecture, Lend } from '@walt/contract';
import { hasErrno, type Paths, syncFolder, UserError } from '../platform/index.ts';
import { type BootRecord, imageBootFolder, LAYOUT, readBootRecord } from './boot-files.ts';
import { readModule } from './compressed.ts';
import type { BootPlan, ModelClass } from './directory.ts';
import type { ImageConfig } from './image-command.ts';
import { readFacts } from './image-facts.ts';
import { ImageRoot } from './image-root.ts';
import { moduleArchive } from './initramfs.ts';
import { findKernel, type Kernel } from './kernel.ts';
import { ensureModules, ensureTools, LENT_VOLUME } from './lender.ts';
import { planLends } from './lends.ts';
import { lentFiles } from './lent-files.ts';
import { imageModels } from './model.ts';
import { modelClasses, neededForVolumes, networkModules, nfsModules, volumeModules } from './model-class.ts';
import { loadOrder, type ModuleIndex, offers, parseModuleIndex } from './modules.ts';
import { copyServed, readWaltImage, requireServerVersion, type WaltImage } from './walt-image.ts';

export interface ImageTree {
  /** `sha256:HEX`. */
  digest: string;
  architecture: Architecture;
  /** Folder where its file tree is mounted; must not change meanwhile. */
  root: string;
  /** Digest of the image that it is a change of, if it is one: what stays the same is not made again. */
  base?: string | undefined;
  config: ImageConfig;
  /**
   * Calls `use` with the mounted tree of the platform's default image of that architecture, which lends to images what they
   * lack. Undefined, without a call, when there is none.
   */
  withLender<T>(use: (lender: { digest: string; root: string }) => Promise<T>): Promise<T | undefined>;
}

export interface PreparedBoot {
  /** Release of the kernel that nodes boot, its own or a lent one; null: it cannot boot, since nobody lends what it lacks. */
  kernel: string | null;
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
  await mkdir(bootFiles, { recursive: true });
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
export async function prepareBootFiles(image: ImageTree, paths: PreparePaths): Promise<PreparedBoot> {
  const known = await readBootRecord(paths, image.digest);
  // Without a kernel, there was nobody to lend one: perhaps there is now.
  if (known?.layout === LAYOUT && known.kernel !== null) return answer(known);
  requireServerVersion(image.config.labels);
  const folder = imageBootFolder(paths, image.digest);
  const temporary = `${folder}.${randomBytes(6).toString('hex')}${UNFINISHED}`;
  await mkdir(temporary, { recursive: true });
  try {
    const root = await ImageRoot.open(image.root);
    const kernel = await findKernel(root);
    const walt = await prepareWaltImage(image, root, temporary);
    const lends = walt ? [] : planLends(await readFacts(root, kernel !== undefined));
    const parts = walt
      ? { kernel: kernel?.release ?? OWN_KERNEL, bootPlan: 'nfs-root' as const, walt }
      : lends.length === 0 && kernel
        ? { kernel: kernel.release, ...(await writeBootFiles(root, kernel, temporary, image.base, paths)) }
        : await borrow(image, { root, kernel, lends }, temporary, paths);
    const record: BootRecord = {
      layout: LAYOUT,
      architecture: image.architecture,
      ...(parts ?? { kernel: null, bootPlan: null }),
      models: walt ? Object.keys(walt.scripts) : imageModels(image.architecture, image.config.labels),
      lends,
    };
    // It may hold passwords' hashes and the secrets of an image's environment.
    await writeFile(join(temporary, 'boot.json'), `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
    await replaceFolder(temporary, folder);
    return answer(record);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
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
  root: ImageRoot,
  folder: string,
): Promise<WaltImage | undefined> {
  const found = await readWaltImage(root, config.labels);
  if (!found) return undefined;
  if (!(await readFacts(root, true)).init) {
    throw new UserError(
      'INVALID',
      'The image is made for WalT, but has no init: nodes would find nothing to start.',
      'Install one at /sbin/init, or remove the label walt.node.models to be lent one.',
    );
  }
  const lacking = await lentFiles(root, [], config);
  const folders = lacking.flatMap((one) =>
    one.type === 'folder' ? [{ path: one.path, mode: one.mode }] : [],
  );
  if ((await root.resolve('/persist')) === undefined) folders.push({ path: 'persist', mode: 0o755 });
  const busybox = (await root.resolve(BUSYBOX)) === undefined;
  const walt = { ...found, folders, ...(busybox && { busybox: await root.place(BUSYBOX) }) };
  await copyServed(root, walt, folder);
  return walt;
}

function answer({ kernel, bootPlan, models, lends }: BootRecord): PreparedBoot {
  return { kernel, bootPlan, models, lends };
}

/** The boot files of an image that lacks something; undefined when nobody is there who could lend it. */
async function borrow(
  image: ImageTree,
  own: { root: ImageRoot; kernel: Kernel | undefined; lends: readonly Lend[] },
  folder: string,
  paths: PreparePaths,
): Promise<Pick<BootRecord, 'kernel' | 'bootPlan' | 'sources' | 'loan'> | undefined> {
  return image.withLender(async ({ digest, root: lenderRoot }) => {
    const root = await ImageRoot.open(lenderRoot);
    const kernel = await findKernel(root);
    if (!kernel) return undefined;
    const lender = { digest, root, kernel };
    const files = await lentFiles(own.root, own.lends, image.config);
    const volumes: string[] = [];
    if (own.lends.some((lend) => lend !== 'kernel') || files.some(({ type }) => type === 'link')) {
      volumes.push(await ensureTools(lender, image.architecture, paths));
    }
    if (!own.kernel)
      volumes.push(await ensureModules(lender, dirname(await own.root.place('/lib/modules')), paths));
    const made = own.kernel
      ? await writeBootFiles(own.root, own.kernel, folder, image.base, paths)
      : await writeBootFiles(root, kernel, folder, digest, paths);
    return { kernel: (own.kernel ?? kernel).release, ...made, loan: { volumes, files } };
  });
}

/** Makes the files of a kernel in `folder`, as links to those of the image `like` where they would be the same. */
async function writeBootFiles(
  root: ImageRoot,
  kernel: Kernel,
  folder: string,
  like: string | undefined,
  paths: PreparePaths,
): Promise<Pick<BootRecord, 'bootPlan' | 'sources'>> {
  const index = await readModuleIndex(root, kernel);
  const bootPlan = bootPlanOf(index, kernel.config);
  const classes = bootPlan === 'volumes' ? modelClasses : [];
  const modules = await findModules(root, kernel, index);
  const sources = await describeSources(root, kernel, modules);
  const names = [KERNEL, ...classes.map(archiveName)];
  if (like !== undefined && (await linkFrom(like, { names, sources }, folder, paths)))
    return { bootPlan, sources };
  await copyKernel(kernel.file, join(folder, KERNEL));
  for (const modelClass of classes) {
    await writeFile(
      join(folder, archiveName(modelClass)),
      await packModules(kernel, index, modules, modelClass),
    );
  }
  return { bootPlan, sources };
}

const KERNEL = 'vmlinuz';

function archiveName(modelClass: ModelClass): string {
  return `modules-${modelClass}`;
}

/**
 * Tells the files apart of which a kernel's boot files are made. Images that share a layer share its inodes, overlaid or not
 * (overlayfs, "Inode properties"), and nobody can set the time of an inode's last change.
 */
async function describeSources(root: ImageRoot, kernel: Kernel, modules: readonly Module[]): Promise<string> {
  const lists = await Promise.all(
    INDEXES.map((name) => root.resolveFile(`${kernel.modules}/modules.${name}`)),
  );
  const hash = createHash('sha256').update(`${kernel.release}\0${kernel.config ?? ''}`);
  for (const file of [kernel.file, ...lists, ...modules.map(({ file }) => file)]) {
    const { ino, size, ctimeNs } = file ? await stat(file, { bigint: true }) : ABSENT;
    hash.update(`\0${ino} ${size} ${ctimeNs}`);
  }
  return hash.digest('hex');
}

const ABSENT = { ino: 0n, size: 0n, ctimeNs: 0n };

/** True when the boot files of the image `digest` were made of the same sources, and `folder` has them now, too. */
async function linkFrom(
  digest: string,
  wanted: { names: readonly string[]; sources: string },
  folder: string,
  paths: PreparePaths,
): Promise<boolean> {
  const record = await readBootRecord(paths, digest);
  if (record?.layout !== LAYOUT || record.sources !== wanted.sources) return false;
  try {
    for (const name of wanted.names)
      await link(join(imageBootFolder(paths, digest), name), join(folder, name));
    return true;
  } catch (error) {
    // It was removed just now, or the file has as many links as it can have.
    if (!hasErrno(error, 'ENOENT', 'EMLINK')) throw error;
    for (const name of wanted.names) await rm(join(folder, name), { force: true });
    return false;
  }
}

/** Kernels for ARM may be packed by gzip as a whole, which no loader is asked to undo. */
async function copyKernel(file: string, target: string): Promise<void> {
  const start = Buffer.alloc(2);
  {
    await using kernel = await open(file, 'r');
    await kernel.read(start, 0, start.length, 0);
  }
  if (start.readUInt16BE() === 0x1f8b)
    await pipeline(createReadStream(file), createGunzip(), createWriteStream(target));
  else await copyFile(file, target, constants.COPYFILE_FICLONE);
}

/** What depmod(8) leaves beside modules, as `modules.NAME`. */
const INDEXES = ['dep', 'builtin', 'softdep', 'alias'] as const;

async function readModuleIndex(root: ImageRoot, kernel: Kernel): Promise<ModuleIndex> {
  const [dep = '', builtin, softdep, alias] = await Promise.all(
    INDEXES.map((name) => root.read(`${kernel.modules}/modules.${name}`)),
  );
  return parseModuleIndex({ dep, builtin, softdep, alias });
}

/** A kernel that lacks EROFS, its compression or what carries it gets its tree over NFS instead. */
function bootPlanOf(index: ModuleIndex, config: string | undefined): BootPlan {
  const complete = neededForVolumes.every((name) => offers(index, name));
  const compressed = config === undefined || /^CONFIG_EROFS_FS_ZIP=y$/m.test(config);
  return complete && compressed ? 'volumes' : 'nfs-root';
}

/** Names of the modules that go into an archive. */
function wantedModules(index: ModuleIndex, modelClass: ModelClass): string[] {
  const { always, matching } = networkModules[modelClass];
  return loadOrder(index, [...always, ...matching, ...volumeModules, ...nfsModules]);
}

interface Module {
  name: string;
  needs: readonly string[];
  /** Path on the server. */
  file: string;
}

/** The modules of all archives. */
async function findModules(root: ImageRoot, kernel: Kernel, index: ModuleIndex): Promise<Module[]> {
  const names = new Set(modelClasses.flatMap((modelClass) => wantedModules(index, modelClass)));
  const found = await Promise.all(
    [...names].map(async (name) => {
      const module = index.files.get(name);
      const file = module && (await root.resolveFile(`${kernel.modules}/${module.path}`));
      // An index that is older than its folder names files that are gone; what then is missing, the node reports.
      return module && file ? [{ name, needs: module.needs, file }] : [];
    }),
  );
  return found.flat();
}

async function packModules(
  kernel: Kernel,
  index: ModuleIndex,
  modules: readonly Module[],
  modelClass: ModelClass,
): Promise<Buffer> {
  const { always, matching } = networkModules[modelClass];
  const found = new Map(modules.map((module) => [module.name, module]));
  const packed = wantedModules(index, modelClass).flatMap((name) => found.get(name) ?? []);
  return await moduleArchive({
    release: kernel.release,
    modelClass,
    modules: await Promise.all(
      packed.map(async ({ name, needs, file }) => ({ name, needs, content: await readModule(file) })),
    ),
    quick: loadOrder(index, [...always, ...volumeModules]),
    slow: loadOrder(index, nfsModules),
    aliases: index.aliases.filter(({ name }) => matching.includes(name)),
  });
}

/** A server of an older layout may have left a folder there. */
async function replaceFolder(temporary: string, folder: string): Promise<void> {
  for (const name of await readdir(temporary, { recursive: true })) {
    await using file = await open(join(temporary, name), 'r');
    await file.sync();
  }
  const old = `${folder}.${randomBytes(6).toString('hex')}${UNFINISHED}`;
  await rename(folder, old).catch((error) => {
    if (!hasErrno(error, 'ENOENT')) throw error;
  });
  await rename(temporary, folder);
  await syncFolder(dirname(folder));
  await rm(old, { recursive: true, force: true });
}
