/** Initramfs of a reference boot: the product's archives, and a third one that replaces what is different. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { readBusybox } from '../packages/server/src/boot/busybox.ts';
import { readModule } from '../packages/server/src/boot/compressed.ts';
import { type CpioEntry, cpioArchive } from '../packages/server/src/boot/cpio.ts';
import { initArchive, moduleArchive } from '../packages/server/src/boot/initramfs.ts';
import { loadOrder, parseModuleIndex } from '../packages/server/src/boot/modules.ts';
import { type ReferenceRoot, referenceInit } from './reference-init.ts';

/** Names of the modules of each root, and of the network card of virtual nodes. */
const NFS = ['crc32c_generic', 'crc32c_intel', 'overlay', 'nfsv4'];
const ROOT: Record<ReferenceRoot, string[]> = {
  disk: ['crc32c_generic', 'crc32c_intel', 'virtio_pci', 'virtio_blk', 'ext4'],
  diskAndNfs: ['crc32c_generic', 'crc32c_intel', 'virtio_pci', 'virtio_blk', 'ext4', 'nfsv4'],
  volume: ['crc32c_generic', 'crc32c_intel', 'virtio_pci', 'virtio_blk', 'erofs', 'overlay'],
  nfs: NFS,
  nfsTuned: NFS,
};
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
  const modules = await Promise.all(
    loadOrder(index, [...ROOT[root], ...NETWORK]).map(async (name) => {
      const module = index.files.get(name);
      if (!module) throw new Error(`the image has no module ${name}`);
      return { name, needs: module.needs, content: await readModule(join(folder, module.path)) };
    }),
  );
  const set = {
    release,
    modelClass: 'virtual' as const,
    modules,
    root: ROOT[root],
    network: NETWORK,
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
