/** What boards of Raspberry Pi have in common. */
import type { AdapterSet } from './adapters.ts';
import { uBootLoader } from './loaders.ts';
import type { Firmware, Model } from './model.ts';

/** What their firmware says in DHCP's option 60, as BIOS PXE of PCs may, too. */
export const RASPBERRY_CLASS = 'PXEClient:Arch:00000:UNDI:002001';

/**
 * All are loaded in any case: adapters behind USB appear seconds later, when nobody looks for their modules any more; and a driver
 * asks the kernel for the module of its PHY, which an initramfs has no program for.
 */
const raspberryAdapters: AdapterSet = {
  name: 'raspberry-pi',
  always: [
    // A node that cannot go on starts over.
    'bcm2835_wdt',
    // 3B and 3B+: USB, then an adapter behind it. QEMU plays theirs as a CDC one.
    ...['phy_generic', 'dwc2', 'smsc', 'smsc95xx', 'microchip', 'lan78xx', 'cdc_ether'],
    // 4B, 400, CM4.
    ...['broadcom', 'mdio_bcm_unimac', 'genet'],
    // 5: behind its RP1 on PCI Express.
    ...[
      'reset_brcmstb_rescal',
      'irq_bcm2712_mip',
      'pcie_brcmstb',
      'clk_rp1',
      'pinctrl_rp1',
      'rp1',
      'rp1_pci',
      'macb',
    ],
  ],
  matching: [],
  // A card, or a disk on USB.
  disks: {
    always: [
      'ext4',
      'sd_mod',
      'mmc_block',
      'bcm2835',
      'sdhci_iproc',
      'sdhci_brcmstb',
      'usb_storage',
      'uas',
      'xhci_pci',
    ],
    matching: [],
  },
};

/**
 * As mainline's device trees name the wire of pins 8 and 10. Kernels of Raspberry Pi OS call it ttyS0, but of two such names a kernel
 * takes the first one only, be it there or not; and ttyAMA0 leads to the Bluetooth chip.
 */
const WIRE = 'ttyS1,115200';

interface Board extends Pick<Model, 'name' | 'images'>, Partial<Pick<Model, 'architecture' | 'console'>> {
  /** As kernels bring them. */
  deviceTrees: readonly string[];
  firmware?: Firmware;
}

export function raspberryPi({ architecture = 'arm64', console = WIRE, ...board }: Board): Model {
  return {
    ...board,
    architecture,
    loaders: [uBootLoader],
    console,
    otherConsoles: ['tty0'],
    adapters: raspberryAdapters,
  };
}
