import type { Model } from './model.ts';
import { raspberryPi } from './raspberry-pi.ts';

/** Raspberry Pi 3 Model B+. */
export const rpi3BPlus: Model = raspberryPi({
  name: 'rpi-3-b-plus',
  images: ['arm64', 'armhf'],
  deviceTrees: ['bcm2837-rpi-3-b-plus.dtb', 'bcm2710-rpi-3-b-plus.dtb'],
  firmware: {
    macPrefixes: ['b8:27:eb'],
    boardType: 0x0d,
    deviceTrees: ['bcm2710-rpi-3-b-plus.dtb'],
    start: ['bootcode.bin', 'start.elf', 'fixup.dat'],
  },
});
