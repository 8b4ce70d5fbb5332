/** Initramfs of a reference boot: the product's archives, and a third one that replaces what is different. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { readBusybox } from '../packages/server/src/boot/binaries/index.ts';
import { MODULE_LIMIT } from '../packages/server/src/boot/bounds.ts';
import { type CpioEntry, cpioArchive } from '../packages/server/src/boot/initramfs/cpio.ts';
import { initArchive, moduleArchive } from '../packages/server/src/boot/initramfs/initramfs.ts';
import { unpackModule } from '../packages/server/src/boot/kernel/compressed.ts';
import { loadOrder, parseModuleIndex } from '../packages/server/src/boot/kernel/modules.ts';
import { type ReferenceRoot, referenceInit } from './reference-init.ts';

/** Names of the modules of each root: those that take longest are loaded beside the others, as the product does. */
const ROOT: Record<ReferenceRoot, { quick: string[]; slow: string[] }> = {
  disk: { quick: [], slow: ['crc32c_generic', 'crc32c_intel', 'virtio_blk', 'ext4'] },
  diskAndNfs: { quick: ['crc32c_generic', 'crc32c_intel', 'virtio_blk', 'ext4'], slow: ['nfsv4'] },
  volume: { quick: [], slow: ['crc32c_generic', 'crc32c_intel', 'virtio_blk', 'erofs', 'overlay'] },
  nfs: { quick: ['overlay'], slow: ['nfsv4'] },
  nfsTuned: { quick: ['overlay'], slow: ['nfsv4'] },
};
/** And of the network card of virtual nodes. */
const NETWORK = ['virtio_pci', 'virtio_net'];

/** `tree` is the image's unpacked file tree, `release` that of its kernel. */
export async function referenceInitramfs(
  root: ReferenceRoot,
  tree: string,
  release: string,
  busybox: string,
): Promise<Buffer> {
  const folder = join(tree, 'usr/lib/modules', release);
  const read = (name: string) => readFile(join(folder, `modules.${name}`), 'utf8');
  const index = parseModuleIndex({
    dep: await read('dep'),
    builtin: await read('builtin'),
    softdep: await read('softdep'),
    alias: await read('alias'),
  });
  const quick = [...NETWORK, ...ROOT[root].quick];
  const { slow } = ROOT[root];
  const modules = await Promise.all(
    loadOrder(index, [...quick, ...slow]).map(async (name) => {
      const module = index.files.get(name);
      if (!module) throw new Error(`the image has no module ${name}`);
      const bytes = await readFile(join(folder, module.path));
      return { name, needs: module.needs, content: await unpackModule(bytes, module.path, MODULE_LIMIT) };
    }),
  );
  const set = {
    release,
    modules,
    quick,
    slow,
    late: [],
    aliases: [],
  };
  const init: CpioEntry = {
    path: 'init',
    type: 'file',
    mode: 0o755,
    content: Buffer.from(await referenceInit(root)),
  };
  return Buffer.concat([
    await initArchive(await readBusybox('amd64', { busybox })),
    await moduleArchive(set),
    await promisify(gzip)(cpioArchive([init])),
  ]);
}
