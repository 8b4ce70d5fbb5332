/** Kernel modules of wired network adapters and of disks. */

/** Modules of one kind of devices. */
export interface DeviceSet {
  /** Modules that are loaded in any case. */
  always: readonly string[];
  /** Modules that are loaded where their device is, which modaliases tell. */
  matching: readonly string[];
  /**
   * Folders of the kernel's own tree (`kernel/drivers/…`), all of whose modules are loaded where their device is. They are hundreds,
   * most of them for other machines: nodes get them packed one by one, and what firmware they name.
   */
  folders?: readonly string[];
  /** Modules in these folders that are left out. */
  except?: readonly string[];
}

/** Each set is an archive of its own, made of every image's kernel when the image arrives. */
export interface AdapterSet extends DeviceSet {
  /** Names its archive. */
  name: string;
  /** No real machine has them: an image's kernel for virtual machines is good enough, and starts faster. */
  areVirtual?: boolean;
  /** What the same machines need to read their disks: another archive, for those that boot from one. */
  disks: DeviceSet;
}

const virtio = ['virtio_pci', 'virtio_mmio', 'virtio_net'];

/** What QEMU gives virtual nodes, and what older definitions of them have; and their disks, for images that load no modules. */
export const virtualAdapters: AdapterSet = {
  name: 'virtual',
  always: virtio,
  matching: ['e1000', 'e1000e', 'virtio_blk'],
  areVirtual: true,
  disks: { always: ['ext4', 'virtio_blk'], matching: [] },
};

/** For who is to press a key when a boot fails. */
const keyboards = ['usbhid', 'hid_generic'];

/** Whatever a PC may carry: for all that comes by itself, unless its model has a set of its own. */
export const pcAdapters: AdapterSet = {
  name: 'pc',
  always: ['af_packet'],
  // What hypervisors give, and what is not in the folders below.
  matching: [...virtio, 'vmxnet3', 'hv_vmbus', 'hv_netvsc', 'xen_netfront', ...keyboards],
  folders: [
    'drivers/net/ethernet',
    'drivers/net/usb',
    // What a driver asks for once it has found its PHY.
    ...['drivers/net/phy', 'drivers/net/mdio', 'drivers/net/pcs'],
    // Adapters on USB appear once the controller works.
    'drivers/usb/host',
  ],
  except: [
    // Cables between two computers: nothing boots through them. Some claim adapters, before the right module sees them, and make
    // up an address: cdc_subset takes USB's 0525:a4a2, which QEMU and Linux gadgets are.
    ...['cdc_subset', 'gl620a', 'net1080', 'plusb', 'zaurus'],
    // Telephones and modems.
    ...[
      'cdc_mbim',
      'cdc_phonet',
      'hso',
      'huawei_cdc_ncm',
      'ipheth',
      'kalmia',
      'lg_vl600',
      'qmi_wwan',
      'sierra_net',
    ],
  ],
  disks: {
    always: ['ext4', 'sd_mod'],
    matching: [
      ...['virtio_blk', 'virtio_scsi', 'vmw_pvscsi', 'hv_storvsc', 'xen_blkfront'],
      // Of servers.
      ...['megaraid_sas', 'mpt3sas', 'mptspi', 'mptsas', 'hpsa', 'aacraid', 'smartpqi', 'sym53c8xx'],
    ],
    folders: ['drivers/ata', 'drivers/nvme/host', 'drivers/mmc', 'drivers/usb/storage'],
  },
};
