import { pcAdapters, virtualAdapters } from './adapters.ts';
import { uBootLoader } from './loaders.ts';
import type { Model } from './model.ts';
import { EMULATION, uBootBoard } from './qemu/index.ts';

const console = 'ttyAMA0,115200';

/** QEMU's `virt` machine with a 32-bit ARM CPU, here or on another host of walt-net. */
export const qemuArmhf: Model = {
  name: 'qemu-armhf',
  architecture: 'armhf',
  images: ['armhf'],
  loaders: [uBootLoader],
  ipxeCpu: 'arm32',
  uBootVendor: EMULATION,
  console,
  adapters: pcAdapters,
  qemu: {
    console,
    adapters: virtualAdapters,
    ...uBootBoard({
      name: 'qemu-armhf',
      emulator: '/usr/bin/qemu-system-arm',
      // A kernel without large physical addresses reaches no device above 4 GiB.
      machine: 'virt,highmem=off',
      cpu: 'cortex-a15',
      uBoot: '/usr/lib/u-boot/qemu_arm/u-boot.bin',
      // A 32-bit kernel reaches the first 760 MiB of memory only, while it starts: device tree and initramfs must lie there.
      variables: { cpu: 'armv7', fdt_high: '0x48000000', initrd_high: '0x48000000' },
      // Its interrupt controller knows eight CPUs, and memory begins at 1 GiB of 4.
      limit: { cpuCores: 8, ramMiB: 3072 },
    }),
  },
};
