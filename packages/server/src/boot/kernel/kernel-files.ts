/** What nodes load of an image's kernels: their bootable files, and archives of those of their modules that they need. */
import { createHash } from 'node:crypto';
import { link, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { isDeepStrictEqual } from 'node:util';
import { createGunzip } from 'node:zlib';
import type { Architecture } from '@walt/contract';
import { type AdapterSet, adapterSetsOf } from '../../models/index.ts';
import { hasErrno, isUserError, type Paths, UserError } from '../../platform/index.ts';
import { copyFile, rawOf, type Tree, type TreePlace, writeSparse } from '../../trees/index.ts';
import { dmCall } from '../binaries/index.ts';
import { type BootRecord, imageBootFolder, kernelName, LAYOUT, readBootRecord } from '../boot-files.ts';
import { type BootLimits, INDEX_LIMIT, MAX_MODULES } from '../bounds.ts';
import type { BootPlan } from '../directory.ts';
import { archiveName, diskArchiveName } from '../initramfs/index.ts';
import { DEVICE_TREES, type DeviceTreePlace, findDeviceTrees, packDeviceTrees } from './device-trees.ts';
import { type FirmwareFiles, firmwareFiles } from './firmware.ts';
import type { Kernel, Kernels } from './kernel.ts';
import { diskModules, type Module, packDiskModules, packModules, wantedModules } from './module-archive.ts';
import { type ModuleIndex, offers, parseModuleIndex } from './modules.ts';
import { neededForVolumes, verityModules } from './volume-modules.ts';

/**
 * Makes the files of an image's kernels in `folder`, as links to those of the image `like` where they would be the same. Throws
 * UserError INVALID when a part is too large, or cannot be unpacked.
 */
export async function writeKernelFiles(
  tree: Tree,
  kernels: Kernels,
  folder: string,
  { like, architecture, paths, limits }: KernelFilesOptions,
): Promise<KernelFiles> {
  const { bootPlan, uses } = await planUses(tree, kernels, architecture);
  const [first, last = first] = [uses[0], uses.at(-1)];
  // Boards are told what they are by the kernel for real machines.
  const trees = await findDeviceTrees(tree, last.kernel);
  const sources = await describeSources(tree, uses, trees);
  const made = {
    ...{ kernel: first.kernel.release, bootPlan, sources, deviceTrees: trees.map(({ name }) => name) },
    proves: dmCall(architecture) !== undefined && uses.every(({ index }) => canProve(index)),
    ...(last !== first && { realKernel: last.kernel.release }),
  };
  const names = [
    ...uses.flatMap(({ sets }) =>
      sets.flatMap((set) => [kernelName(set), archiveName(set), diskArchiveName(set)]),
    ),
    ...(trees.length > 0 ? [DEVICE_TREES] : []),
  ];
  const linked =
    like === undefined ? undefined : await linkFrom(like, { tree, names, sources }, folder, paths);
  if (linked) return { ...made, ...linked };
  if (trees.length > 0) await writeFile(join(folder, DEVICE_TREES), await packDeviceTrees(tree, trees));
  const firmware: FirmwareFiles = {};
  for (const use of uses) Object.assign(firmware, await writeFiles(tree, use, folder, limits));
  return { ...made, firmware };
}

/** A kernel, and the adapters of the machines that boot it. */
interface Use {
  kernel: Kernel;
  index: ModuleIndex;
  sets: readonly AdapterSet[];
  modules: readonly Module[];
}

/** Which machines boot which kernel, real ones last. All boot the newest one, unless there is another for real machines that can. */
async function planUses(
  tree: Tree,
  { newest, real }: Kernels,
  architecture: Architecture,
): Promise<{ bootPlan: BootPlan; uses: readonly [Use, ...Use[]] }> {
  const index = await readModuleIndex(tree, newest);
  const bootPlan = bootPlanOf(index, newest.config);
  const useOf = async (kernel: Kernel, index: ModuleIndex, sets: readonly AdapterSet[]): Promise<Use> => ({
    ...{ kernel, index, sets },
    modules: await findModules(tree, kernel, index, sets),
  });
  const sets = bootPlan === 'volumes' ? adapterSetsOf(architecture) : [];
  const realIndex = real && (await readModuleIndex(tree, real));
  if (!real || !realIndex || bootPlan !== 'volumes' || bootPlanOf(realIndex, real.config) !== 'volumes') {
    return { bootPlan, uses: [await useOf(newest, index, sets)] };
  }
  const { virtual = [], others = [] } = Object.groupBy(sets, ({ areVirtual }) =>
    areVirtual ? 'virtual' : 'others',
  );
  const forReal = await useOf(real, realIndex, others);
  // There are architectures of which no machine is virtual.
  if (virtual.length === 0) return { bootPlan, uses: [forReal] };
  return { bootPlan, uses: [await useOf(newest, index, virtual), forReal] };
}

/** Answers the firmware that the modules name. */
async function writeFiles(
  tree: Tree,
  { kernel, index, sets, modules }: Use,
  folder: string,
  limits: BootLimits,
): Promise<FirmwareFiles> {
  const firmware: FirmwareFiles = {};
  const [first] = sets;
  if (first) await copyKernel(tree, kernel, join(folder, kernelName(first)), limits.bootFile);
  for (const set of sets) {
    if (set !== first && first) await link(join(folder, kernelName(first)), join(folder, kernelName(set)));
    const source = { tree, kernel, index, modules, set, folder };
    const packed = await packModules(source);
    await writeFile(join(folder, archiveName(set)), packed.archive);
    Object.assign(firmware, packed.firmware);
    await writeFile(join(folder, diskArchiveName(set)), await packDiskModules(source));
  }
  return firmware;
}

export interface KernelFilesOptions {
  like: string | undefined;
  /** Of the boards that boot it. */
  architecture: Architecture;
  paths: Pick<Paths, 'bootFiles'>;
  limits: BootLimits;
}

export interface KernelFiles
  extends Pick<BootRecord, 'kernel' | 'realKernel' | 'bootPlan' | 'proves' | 'sources' | 'firmware'> {
  /** What is known of those that are links to another image's. */
  files?: BootRecord['files'];
  /** Names of the device trees that the kernel brings. */
  deviceTrees: readonly string[];
}

/**
 * Tells the files apart of which boot files are made. Images that share a layer share its inodes, overlaid or not
 * (overlayfs, "Inode properties"), and nobody can set the time of an inode's last change.
 */
async function describeSources(
  tree: Tree,
  uses: readonly Use[],
  trees: readonly DeviceTreePlace[],
): Promise<string> {
  const hash = createHash('sha256');
  const add = (file: TreePlace | undefined) => {
    const { ino, size, ctimeNs } = file?.stats ?? ABSENT;
    hash.update(`\0${ino} ${size} ${ctimeNs}`);
  };
  for (const { kernel, sets, modules } of uses) {
    hash.update(`${kernel.release}\0${sets.map(({ name }) => name).join()}\0${kernel.config ?? ''}`);
    const lists = INDEXES.map((name) => tree.findFile(`${kernel.modules}/modules.${name}`));
    for (const file of [kernel.file, ...(await Promise.all(lists))]) add(file);
    for (const { file } of modules) add(file);
  }
  for (const { file } of trees) add(file);
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
): Promise<Pick<KernelFiles, 'firmware' | 'files'> | undefined> {
  const record = await readBootRecord(paths, digest);
  if (record?.layout !== LAYOUT || record.sources !== wanted.sources) return undefined;
  const { firmware = {} } = record;
  if (!isDeepStrictEqual(await firmwareFiles(wanted.tree, Object.keys(firmware)), firmware)) return undefined;
  try {
    for (const name of wanted.names)
      await link(join(imageBootFolder(paths, digest), name), join(folder, name));
    const known = wanted.names.flatMap((name) => {
      const file = record.files[name];
      return file ? [[name, file] as const] : [];
    });
    return { firmware, files: Object.fromEntries(known) };
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

function canProve(index: ModuleIndex): boolean {
  const [verity = ''] = verityModules;
  return offers(index, verity);
}

/** The modules of all archives. */
async function findModules(
  tree: Tree,
  kernel: Kernel,
  index: ModuleIndex,
  sets: readonly AdapterSet[],
): Promise<Module[]> {
  const names = new Set(sets.flatMap((set) => [...wantedModules(index, set), ...diskModules(index, set)]));
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
    const file = module && (await tree.findFile(`${kernel.modules}/${rawOf(module.path)}`));
    // An index that is older than its folder names files that are gone; what then is missing, the node reports.
    if (module && file) found.push({ name, needs: module.needs, file });
  }
  return found;
}
