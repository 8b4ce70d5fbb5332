import { randomBytes } from 'node:crypto';
import { constants, copyFile, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Architecture } from '@walt/contract';
import { hasErrno, type Paths, syncFolder } from '../platform/index.ts';
import { type BootRecord, imageBootFolder, LAYOUT, readBootRecord } from './boot-files.ts';
import { readModule } from './compressed.ts';
import type { BootPlan, ModelClass } from './directory.ts';
import { ImageRoot } from './image-root.ts';
import { moduleArchive } from './initramfs.ts';
import { findKernel, type Kernel } from './kernel.ts';
import { modelClasses, neededForVolumes, networkModules, rootModules } from './model-class.ts';
import { loadOrder, type ModuleIndex, offers, parseModuleIndex } from './modules.ts';

export interface ImageTree {
  /** `sha256:HEX`. */
  digest: string;
  architecture: Architecture;
  /** Folder where its file tree is mounted; must not change meanwhile. */
  root: string;
}

export interface PreparedBoot {
  /** Release of the kernel that nodes boot; null: the image has none. */
  kernel: string | null;
  bootPlan: BootPlan;
  /** Node models that can boot it. */
  models: string[];
}

/** Models that boot an image of an architecture when it has a kernel. */
const MODELS: Record<Architecture, string[]> = {
  amd64: ['pc-x86-64'],
  i386: ['pc-x86-32', 'pc-x86-64'],
  arm64: ['qemu-arm64'],
  armhf: ['qemu-armhf'],
};

const UNFINISHED = '.tmp';

/** Removes what a server that was killed while it prepared an image left behind. Only before anything is prepared. */
export async function sweepBootFiles({ bootFiles }: Pick<Paths, 'bootFiles'>): Promise<void> {
  await mkdir(bootFiles, { recursive: true });
  for (const name of await readdir(bootFiles)) {
    if (name.endsWith(UNFINISHED)) await rm(join(bootFiles, name), { recursive: true, force: true });
  }
}

/**
 * Makes what nodes load to boot an image, in `bootFiles/HEX/`; all of it or nothing. A second call finds it there.
 * The image's own initrd is neither used nor made.
 */
export async function prepareBootFiles(
  image: ImageTree,
  paths: Pick<Paths, 'bootFiles'>,
): Promise<PreparedBoot> {
  const known = await readBootRecord(paths, image.digest);
  if (known?.layout === LAYOUT) return answer(known);
  const folder = imageBootFolder(paths, image.digest);
  const temporary = `${folder}.${randomBytes(6).toString('hex')}${UNFINISHED}`;
  await mkdir(temporary, { recursive: true });
  try {
    const root = await ImageRoot.open(image.root);
    const kernel = await findKernel(root);
    const bootPlan = kernel === undefined ? null : await writeBootFiles(root, kernel, temporary);
    const record: BootRecord = {
      layout: LAYOUT,
      architecture: image.architecture,
      kernel: kernel?.release ?? null,
      bootPlan,
      models: bootPlan === null ? [] : MODELS[image.architecture],
    };
    await writeFile(join(temporary, 'boot.json'), `${JSON.stringify(record, null, 2)}\n`);
    await replaceFolder(temporary, folder);
    return answer(record);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

function answer({ kernel, bootPlan, models }: BootRecord): PreparedBoot {
  return { kernel, bootPlan, models };
}

async function writeBootFiles(root: ImageRoot, kernel: Kernel, folder: string): Promise<BootPlan> {
  await copyFile(kernel.file, join(folder, 'vmlinuz'), constants.COPYFILE_FICLONE);
  const index = await readModuleIndex(root, kernel);
  const bootPlan = bootPlanOf(index, kernel.config);
  if (bootPlan === 'volumes') {
    for (const modelClass of modelClasses) {
      const archive = await packModules(root, kernel, index, modelClass);
      await writeFile(join(folder, `modules-${modelClass}`), archive);
    }
  }
  return bootPlan;
}

async function readModuleIndex(root: ImageRoot, kernel: Kernel): Promise<ModuleIndex> {
  const read = (name: string) => root.read(`${kernel.modules}/modules.${name}`);
  return parseModuleIndex({
    dep: (await read('dep')) ?? '',
    builtin: await read('builtin'),
    softdep: await read('softdep'),
    alias: await read('alias'),
  });
}

/** A kernel that lacks EROFS, its compression or what carries it gets its tree over NFS instead. */
function bootPlanOf(index: ModuleIndex, config: string | undefined): BootPlan {
  const complete = neededForVolumes.every((name) => offers(index, name));
  const compressed = config === undefined || /^CONFIG_EROFS_FS_ZIP=y$/m.test(config);
  return complete && compressed ? 'volumes' : 'nfs-root';
}

async function packModules(
  root: ImageRoot,
  kernel: Kernel,
  index: ModuleIndex,
  modelClass: ModelClass,
): Promise<Buffer> {
  const { always, matching } = networkModules[modelClass];
  const names = loadOrder(index, [...always, ...matching, ...rootModules]);
  const packed = await Promise.all(
    names.map(async (name) => {
      const module = index.files.get(name);
      const path = module && (await root.resolveFile(`${kernel.modules}/${module.path}`));
      // An index that is older than its folder names files that are gone; what then is missing, the node reports.
      if (!module || !path) return [];
      return [{ name, needs: module.needs, content: await readModule(path) }];
    }),
  );
  return await moduleArchive({
    release: kernel.release,
    modelClass,
    modules: packed.flat(),
    network: loadOrder(index, always),
    root: loadOrder(index, rootModules),
    aliases: index.aliases.filter(({ name }) => matching.includes(name)),
  });
}

/** A server of an older layout may have left a folder there. */
async function replaceFolder(temporary: string, folder: string): Promise<void> {
  for (const name of await readdir(temporary)) {
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
