import type { ModelClass } from './directory.ts';

export const modelClasses: readonly ModelClass[] = ['virtual', 'pc'];

/** What volumes need, in any machine. crc32c is asked for by name when libcrc32c loads, so no index tells of it. */
export const volumeModules: readonly string[] = [
  'crc32c_generic',
  'crc32c_intel',
  'loop',
  'erofs',
  'overlay',
];

/** What carries them. It takes longest by far: a second on an emulated CPU, while all others take 0.2 s. */
export const nfsModules: readonly string[] = ['nfsv4'];

/** Without one of these a kernel cannot boot from volumes. */
export const neededForVolumes: readonly string[] = ['loop', 'erofs', 'overlay', 'nfsv4'];

const virtualNics = ['virtio_pci', 'virtio_mmio', 'virtio_net'];

/** Wired adapters that PCs carry and that work without firmware files. Which are loaded is told by modaliases. */
const pcNics = [
  ...['e1000', 'e1000e', 'igb', 'igc', 'ixgbe', 'i40e', 'ice'],
  ...['r8169', '8139too', '8139cp', 'tg3', 'bnxt_en', 'b44', 'sky2', 'skge', 'forcedeth'],
  ...['atlantic', 'alx', 'atl1', 'atl1c', 'atl1e', 'atl2', 'jme', 'sis900', 'via_rhine', 'via_velocity'],
  ...['pcnet32', 'ne2k_pci', 'vmxnet3', 'hv_netvsc', 'ena', 'be2net', 'mlx4_en', 'mlx5_core'],
];

/** Modules of a machine's network: `always` and those that it loads when the machine has the device (`matching`). */
interface ModuleChoice {
  always: readonly string[];
  matching: readonly string[];
}

export const networkModules: Record<ModelClass, ModuleChoice> = {
  virtual: { always: virtualNics, matching: ['e1000', 'e1000e'] },
  pc: { always: ['af_packet'], matching: [...virtualNics, ...pcNics] },
};
