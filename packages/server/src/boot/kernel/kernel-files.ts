/** What nodes load of a kernel: its bootable file, and archives of those of its modules that they need. */
import { createHash } from 'node:crypto';
import { link, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { isDeepStrictEqual } from 'node:util';
import { createGunzip } from 'node:zlib';
import type { Architecture } from '@walt/contract';
import { type AdapterSet, adapterSetsOf } from '../../models/index.ts';
import { hasErrno, isUserError, type Paths, UserError } from '../../platform/index.ts';
import { copyFile, rawOf, type Tree, writeSparse } from '../../trees/index.ts';
import { type BootRecord, imageBootFolder, LAYOUT, readBootRecord } from '../boot-files.ts';
import { type BootLimits, INDEX_LIMIT, MAX_MODULES } from '../bounds.ts';
import type { BootPlan } from '../directory.ts';
import { archiveName } from '../initramfs/index.ts';
import { DEVICE_TREES, type DeviceTreePlace, findDeviceTrees, packDeviceTrees } from './device-trees.ts';
import { type FirmwareFiles, firmwareFiles } from './firmware.ts';
import type { Kernel } from './kernel.ts';
import { type Module, packModules, wantedModules } from './module-archive.ts';
import { type ModuleIndex, offers, parseModuleIndex } from './modules.ts';
import { neededForVolumes } from './volume-modules.ts';

/**
 * Makes the files of a kernel in `folder`, as links to those of the image `like` where they would be the same. Throws UserError
 * INVALID when a part is too large, or cannot be unpacked.
 */
export async function writeKernelFiles(
  tree: Tree,
  kernel: Kernel,
  folder: string,
  { like, architecture, paths, limits }: KernelFilesOptions,
): Promise<KernelFiles> {
  const index = await readModuleIndex(tree, kernel);
  const bootPlan = bootPlanOf(index, kernel.config);
  const sets = bootPlan === 'volumes' ? adapterSetsOf(architecture) : [];
  const modules = await findModules(tree, kernel, index, sets);
  const trees = await findDeviceTrees(tree, kernel);
  const sources = await describeSources(tree, kernel, modules, trees);
  const made = { bootPlan, sources, deviceTrees: trees.map(({ name }) => name) };
  const names = [KERNEL, ...(trees.length > 0 ? [DEVICE_TREES] : []), ...sets.map(archiveName)];
  const linked =
    like === undefined ? undefined : await linkFrom(like, { tree, names, sources }, folder, paths);
  if (linked) return { ...made, firmware: linked };
  await copyKernel(tree, kernel, join(folder, KERNEL), limits.bootFile);
  if (trees.length > 0) await writeFile(join(folder, DEVICE_TREES), await packDeviceTrees(tree, trees));
  const firmware: FirmwareFiles = {};
  for (const set of sets) {
    const packed = await packModules(tree, kernel, index, modules, set);
    await writeFile(join(folder, archiveName(set)), packed.archive);
    Object.assign(firmware, packed.firmware);
  }
  return { ...made, firmware };
}

export interface KernelFilesOptions {
  like: string | undefined;
  /** Of the boards that boot it. */
  architecture: Architecture;
  paths: Pick<Paths, 'bootFiles'>;
  limits: BootLimits;
}

export interface KernelFiles extends Pick<BootRecord, 'bootPlan' | 'sources' | 'firmware'> {
  /** Names of the device trees that the kernel brings. */
  deviceTrees: readonly string[];
}

const KERNEL = 'vmlinuz';

/**
 * Tells the files apart of which a kernel's boot files are made. Images that share a layer share its inodes, overlaid or not
 * (overlayfs, "Inode properties"), and nobody can set the time of an inode's last change.
 */
async function describeSources(
  tree: Tree,
  kernel: Kernel,
  modules: readonly Module[],
  trees: readonly DeviceTreePlace[],
): Promise<string> {
  const lists = await Promise.all(INDEXES.map((name) => tree.findFile(`${kernel.modules}/modules.${name}`)));
  const hash = createHash('sha256').update(`${kernel.release}\0${kernel.config ?? ''}`);
  for (const file of [kernel.file, ...lists, ...[...modules, ...trees].map(({ file }) => file)]) {
    const { ino, size, ctimeNs } = file?.stats ?? ABSENT;
    hash.update(`\0${ino} ${size} ${ctimeNs}`);
  }
  return hash.digest('hex');
}

const ABSENT = { ino: 0n, size: 0n, ctimeNs: 0n };

/**
 * Where the boot files of the image `digest` were made of the same sources, puts them into `folder`, too, and answers which firmware
 * is in them. Modules that are the same name the same firmware.
 */
async function linkFrom(
  digest: string,
  wanted: { tree: Tree; names: readonly string[]; sources: string },
  folder: string,
  paths: Pick<Paths, 'bootFiles'>,
): Promise<FirmwareFiles | undefined> {
  const record = await readBootRecord(paths, digest);
  if (record?.layout !== LAYOUT || record.sources !== wanted.sources) return undefined;
  const { firmware = {} } = record;
  if (!isDeepStrictEqual(await firmwareFiles(wanted.tree, Object.keys(firmware)), firmware)) return undefined;
  try {
    for (const name of wanted.names)
      await link(join(imageBootFolder(paths, digest), name), join(folder, name));
    return firmware;
  } catch (error) {
    // It was removed just now, or the file has as many links as it can have.
    if (!hasErrno(error, 'ENOENT', 'EMLINK')) throw error;
    for (const name of wanted.names) await rm(join(folder, name), { force: true });
    return undefined;
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

/** The modules of all archives. */
async function findModules(
  tree: Tree,
  kernel: Kernel,
  index: ModuleIndex,
  sets: readonly AdapterSet[],
): Promise<Module[]> {
  const names = new Set(sets.flatMap((set) => wantedModules(index, set)));
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
