/** What nodes load of a kernel: its bootable file, and archives of those of its modules that they need. */
import { createHash } from 'node:crypto';
import { link, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type AdapterSet, adapterSets } from '../../models/index.ts';
import { hasErrno, isUserError, type Paths, UserError } from '../../platform/index.ts';
import {
  copyFile,
  rawOf,
  type Tree,
  type TreePlace,
  textOf,
  tooLarge,
  writeSparse,
} from '../../trees/index.ts';
import { type BootRecord, imageBootFolder, LAYOUT, readBootRecord } from '../boot-files.ts';
import { type BootLimits, INDEX_LIMIT, MAX_MODULES, MODULE_LIMIT, MODULES_LIMIT } from '../bounds.ts';
import type { BootPlan } from '../directory.ts';
import { archiveName, moduleArchive, type PackedModule } from '../initramfs/index.ts';
import { unpackModule } from './compressed.ts';
import type { Kernel } from './kernel.ts';
import { loadOrder, type ModuleIndex, offers, parseModuleIndex } from './modules.ts';
import { neededForVolumes, nfsModules, volumeModules } from './volume-modules.ts';

/**
 * Makes the files of a kernel in `folder`, as links to those of the image `like` where they would be the same. Throws UserError
 * INVALID when a part is too large, or cannot be unpacked.
 */
export async function writeKernelFiles(
  tree: Tree,
  kernel: Kernel,
  folder: string,
  { like, paths, limits }: { like: string | undefined; paths: Pick<Paths, 'bootFiles'>; limits: BootLimits },
): Promise<Pick<BootRecord, 'bootPlan' | 'sources'>> {
  const index = await readModuleIndex(tree, kernel);
  const bootPlan = bootPlanOf(index, kernel.config);
  const sets = bootPlan === 'volumes' ? adapterSets : [];
  const modules = await findModules(tree, kernel, index);
  const sources = await describeSources(tree, kernel, modules);
  const names = [KERNEL, ...sets.map(archiveName)];
  if (like !== undefined && (await linkFrom(like, { names, sources }, folder, paths)))
    return { bootPlan, sources };
  await copyKernel(tree, kernel, join(folder, KERNEL), limits.bootFile);
  for (const set of sets) {
    await writeFile(join(folder, archiveName(set)), await packModules(tree, kernel, index, modules, set));
  }
  return { bootPlan, sources };
}

const KERNEL = 'vmlinuz';

/**
 * Tells the files apart of which a kernel's boot files are made. Images that share a layer share its inodes, overlaid or not
 * (overlayfs, "Inode properties"), and nobody can set the time of an inode's last change.
 */
async function describeSources(tree: Tree, kernel: Kernel, modules: readonly Module[]): Promise<string> {
  const lists = await Promise.all(INDEXES.map((name) => tree.findFile(`${kernel.modules}/modules.${name}`)));
  const hash = createHash('sha256').update(`${kernel.release}\0${kernel.config ?? ''}`);
  for (const file of [kernel.file, ...lists, ...modules.map(({ file }) => file)]) {
    const { ino, size, ctimeNs } = file?.stats ?? ABSENT;
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
  paths: Pick<Paths, 'bootFiles'>,
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
async function copyKernel(tree: Tree, kernel: Kernel, target: string, limit: number): Promise<void> {
  const what = `/${kernel.file.path}`;
  await using file = await tree.open(kernel.file.path);
  if (!file) throw new RangeError(`${what} is gone`);
  const start = Buffer.alloc(2);
  await file.read(start, 0, start.length, 0);
  if (start.readUInt16BE() !== 0x1f8b) return await copyFile(file, target, { limit, what });
  try {
    const packed = file.createReadStream({ start: 0, autoClose: false });
    await pipeline(packed, createGunzip(), (chunks: AsyncIterable<Buffer>) =>
      writeSparse(chunks, target, { limit, what }),
    );
  } catch (error) {
    if (isUserError(error)) throw error;
    throw new UserError(
      'INVALID',
      `The kernel ${what} of the image cannot be unpacked: ${String(error)}`,
      'Install the kernel package of the image anew.',
    );
  }
}

/** What depmod(8) leaves beside modules, as `modules.NAME`. */
const INDEXES = ['dep', 'builtin', 'softdep', 'alias'] as const;

async function readModuleIndex(tree: Tree, kernel: Kernel): Promise<ModuleIndex> {
  const [dep = '', builtin, softdep, alias] = await Promise.all(
    INDEXES.map((name) => tree.readText(`${kernel.modules}/modules.${name}`, INDEX_LIMIT)),
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
function wantedModules(index: ModuleIndex, { always, matching }: AdapterSet): string[] {
  return loadOrder(index, [...always, ...matching, ...volumeModules, ...nfsModules]);
}

interface Module {
  name: string;
  needs: readonly string[];
  /** In the image. */
  file: TreePlace;
}

/** The modules of all archives. */
async function findModules(tree: Tree, kernel: Kernel, index: ModuleIndex): Promise<Module[]> {
  const names = new Set(adapterSets.flatMap((set) => wantedModules(index, set)));
  if (names.size > MAX_MODULES) {
    throw new UserError(
      'INVALID',
      `Nodes would load ${names.size} modules of the kernel ${kernel.release}: ${MAX_MODULES} are the most.`,
      'Run depmod in the image, or install its kernel anew.',
    );
  }
  const found: Module[] = [];
  // One after the other: each that is looked for has folders open.
  for (const name of names) {
    const module = index.files.get(name);
    const file = module && (await tree.findFile(rawOf(`${kernel.modules}/${module.path}`)));
    // An index that is older than its folder names files that are gone; what then is missing, the node reports.
    if (module && file) found.push({ name, needs: module.needs, file });
  }
  return found;
}

async function packModules(
  tree: Tree,
  kernel: Kernel,
  index: ModuleIndex,
  modules: readonly Module[],
  set: AdapterSet,
): Promise<Buffer> {
  const { always, matching } = set;
  const found = new Map(modules.map((module) => [module.name, module]));
  const packed = wantedModules(index, set).flatMap((name) => found.get(name) ?? []);
  return await moduleArchive({
    release: kernel.release,
    modules: await readModules(tree, packed),
    quick: loadOrder(index, [...always, ...volumeModules]),
    slow: loadOrder(index, nfsModules),
    aliases: index.aliases.filter(({ name }) => matching.includes(name)),
  });
}

/** Modules that are read and unpacked at a time: xz is a program of its own each. */
const READERS = 4;

/** With their content, unpacked. Throws UserError INVALID when that is too much, or cannot be unpacked. */
async function readModules(tree: Tree, modules: readonly Module[]): Promise<PackedModule[]> {
  const read = new Map<string, PackedModule>();
  const waiting = [...modules];
  let left = MODULES_LIMIT;
  const work = async () => {
    for (let module = waiting.shift(); module; module = waiting.shift()) {
      const { name, needs, file } = module;
      const limit = Math.min(MODULE_LIMIT, left);
      const bytes = await tree.read(file.path, limit);
      if (!bytes) continue;
      const content = await unpackModule(bytes, `/${textOf(file.path)}`, limit);
      left -= content.length;
      if (left < 0) {
        throw tooLarge('What nodes load of /lib/modules', MODULES_LIMIT - left, MODULES_LIMIT);
      }
      read.set(name, { name, needs, content });
    }
  };
  await Promise.all(Array.from({ length: READERS }, work));
  return modules.flatMap(({ name }) => read.get(name) ?? []);
}
