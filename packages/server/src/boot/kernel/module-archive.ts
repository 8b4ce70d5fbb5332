/** The archives of a kernel's modules for machines with certain adapters, and for their disks. */
import { join } from 'node:path';
import type { AdapterSet, DeviceSet } from '../../models/index.ts';
import { inParallel } from '../../platform/index.ts';
import { type Tree, type TreePlace, textOf, tooLarge } from '../../trees/index.ts';
import { MODULE_LIMIT, MODULES_LIMIT } from '../bounds.ts';
import { diskArchive, moduleArchive, type PackedModule } from '../initramfs/index.ts';
import { Packer, unpackModule } from './compressed.ts';
import { type FirmwareFiles, firmwareFiles, firmwareNames, readFirmware } from './firmware.ts';
import type { Kernel } from './kernel.ts';
import { loadOrder, type ModuleIndex, modulesIn } from './modules.ts';
import { nfsModules, swapModules, verityModules, volumeModules } from './volume-modules.ts';

/** A module that is there. */
export interface Module {
  name: string;
  needs: readonly string[];
  /** In the image. */
  file: TreePlace;
}

/** Names of the modules that go into the archive. */
export function wantedModules(index: ModuleIndex, set: AdapterSet): string[] {
  const all = [...volumeModules, ...verityModules, ...nfsModules, ...swapModules];
  return loadOrder(index, [...set.always, ...matchingModules(index, set), ...all]);
}

/** Names of those that only disks need. */
export function diskModules(index: ModuleIndex, set: AdapterSet): string[] {
  const others = new Set(wantedModules(index, set));
  const all = loadOrder(index, [...set.disks.always, ...matchingModules(index, set.disks)]);
  return all.filter((name) => !others.has(name));
}

function matchingModules(index: ModuleIndex, { matching, folders = [], except = [] }: DeviceSet): string[] {
  return [...matching, ...modulesIn(index, folders).filter((name) => !except.includes(name))];
}

/** Of what an archive is made. */
export interface ArchiveSource {
  tree: Tree;
  kernel: Kernel;
  index: ModuleIndex;
  /** Those that are there; the archive takes what the set wants. */
  modules: readonly Module[];
  set: AdapterSet;
  /** For files that are gone again afterwards. */
  folder: string;
}

/** Answers the firmware that the modules name, too. Throws UserError INVALID when it is too much, or cannot be unpacked. */
export async function packModules(
  source: ArchiveSource,
): Promise<{ archive: Buffer; firmware: FirmwareFiles }> {
  const { tree, kernel, index, set } = source;
  const read = await readModules(source, wantedModules(index, set));
  const firmware = await firmwareFiles(tree, read.firmware);
  const matching = new Set(matchingModules(index, set));
  const archive = await moduleArchive({
    release: kernel.release,
    modules: read.modules,
    isPacked: set.folders !== undefined,
    quick: loadOrder(index, [...set.always, ...volumeModules]),
    slow: loadOrder(index, nfsModules),
    late: loadOrder(index, swapModules),
    aliases: index.aliases.filter(({ name }) => matching.has(name)),
    firmware: await readFirmware(tree, firmware),
  });
  return { archive, firmware };
}

/** Makes the archive for the disks of such machines. Throws as `packModules` does. */
export async function packDiskModules(source: ArchiveSource): Promise<Buffer> {
  const { kernel, index, set } = source;
  const read = await readModules(source, diskModules(index, set));
  const matching = new Set(matchingModules(index, set.disks));
  return diskArchive({
    release: kernel.release,
    modules: read.modules,
    isPacked: set.folders !== undefined,
    quick: loadOrder(index, set.disks.always),
    aliases: index.aliases.filter(({ name }) => matching.has(name)),
  });
}

/** Modules that are read and unpacked at a time: to unpack xz takes a program each. */
const READERS = 4;

/** Those of these names that are there, with their content; packed: by xz, and with what firmware they name. */
async function readModules(
  { tree, modules, set, folder }: ArchiveSource,
  names: readonly string[],
): Promise<{ modules: PackedModule[]; firmware: string[] }> {
  const isPacked = set.folders !== undefined;
  const there = new Map(modules.map((module) => [module.name, module]));
  const wanted = names.flatMap((name) => there.get(name) ?? []);
  await using packer = await Packer.make(join(folder, 'to-pack'));
  const read = new Map<string, Uint8Array>();
  const firmware = new Set<string>();
  let left = MODULES_LIMIT;
  await inParallel(wanted, READERS, async ({ name, file }) => {
    const limit = Math.min(MODULE_LIMIT, left);
    const bytes = await tree.read(file.path, limit);
    if (!bytes) return;
    const path = `/${textOf(file.path)}`;
    const content = await unpackModule(bytes, path, limit);
    left -= content.length;
    if (left < 0) throw tooLarge('What nodes load of /lib/modules', MODULES_LIMIT - left, MODULES_LIMIT);
    if (!isPacked) read.set(name, content);
    else {
      for (const one of firmwareNames(content)) firmware.add(one);
      if (path.endsWith('.xz')) read.set(name, bytes);
      else await packer.add(name, content);
    }
  });
  const packed = await packer.pack();
  const complete = wanted.flatMap(({ name, needs }) => {
    const content = read.get(name) ?? packed.get(name);
    return content ? [{ name, needs, content }] : [];
  });
  return { modules: complete, firmware: [...firmware].sort() };
}
