/** Kernel modules of wired network adapters that work without firmware files. */

/** Each set is an archive of its own, made of every image's kernel when the image arrives. */
export interface AdapterSet {
  /** Names its archive. */
  name: string;
  /** Modules that are loaded in any case. */
  always: readonly string[];
  /** Modules that are loaded where their device is, which modaliases tell. */
  matching: readonly string[];
}

const virtio = ['virtio_pci', 'virtio_mmio', 'virtio_net'];

/** What QEMU gives virtual nodes, and what older definitions of them have. */
export const virtualAdapters: AdapterSet = {
  name: 'virtual',
  always: virtio,
  matching: ['e1000', 'e1000e'],
};

/** What PCs carry: for all that comes by itself, unless its model has a set of its own. */
export const pcAdapters: AdapterSet = {
  name: 'pc',
  always: ['af_packet'],
  matching: [
    ...virtio,
    ...['e1000', 'e1000e', 'igb', 'igc', 'ixgbe', 'i40e', 'ice'],
    ...['r8169', '8139too', '8139cp', 'tg3', 'bnxt_en', 'b44', 'sky2', 'skge', 'forcedeth'],
    ...['atlantic', 'alx', 'atl1', 'atl1c', 'atl1e', 'atl2', 'jme', 'sis900', 'via_rhine', 'via_velocity'],
    ...['pcnet32', 'ne2k_pci', 'vmxnet3', 'hv_netvsc', 'ena', 'be2net', 'mlx4_en', 'mlx5_core'],
  ],
};
