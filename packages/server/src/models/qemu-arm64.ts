import { pcAdapters, virtualAdapters } from './adapters.ts';
import { uBootLoader } from './loaders.ts';
import type { Model } from './model.ts';
import { EMULATION, uBootBoard } from './qemu/index.ts';

const console = 'ttyAMA0,115200';

/** QEMU's `virt` machine with a 64-bit ARM CPU, here or on another host of walt-net. */
export const qemuArm64: Model = {
  name: 'qemu-arm64',
  architecture: 'arm64',
  images: ['arm64'],
  loaders: [uBootLoader],
  ipxeCpu: 'arm64',
  uBootVendor: EMULATION,
  console,
  adapters: pcAdapters,
  qemu: {
    console,
    adapters: virtualAdapters,
    ...uBootBoard({
      name: 'qemu-arm64',
      emulator: '/usr/bin/qemu-system-aarch64',
      // The older interrupt controller serves eight CPUs at most.
      machine: 'virt,gic-version=3',
      // Pointers are signed by a quick function of QEMU's own, not by the cipher that the architecture names.
      cpu: 'max,pauth-impdef=on',
      uBoot: '/usr/lib/u-boot/qemu_arm64/u-boot.bin',
      variables: { cpu: 'armv8' },
    }),
  },
};
