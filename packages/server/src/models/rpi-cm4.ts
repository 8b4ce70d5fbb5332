import type { Model } from './model.ts';
import { raspberryPi } from './raspberry-pi.ts';

/** Raspberry Pi Compute Module 4. Mainline kernels know it on the I/O board only. */
export const rpiCm4: Model = raspberryPi({
  name: 'rpi-cm4',
  images: ['arm64', 'armhf'],
  deviceTrees: ['bcm2711-rpi-cm4.dtb', 'bcm2711-rpi-cm4-io.dtb'],
  firmware: {
    macPrefixes: ['dc:a6:32', 'e4:5f:01', 'd8:3a:dd', '2c:cf:67'],
    boardType: 0x14,
    deviceTrees: ['bcm2711-rpi-cm4.dtb'],
    start: ['start4.elf', 'fixup4.dat'],
  },
});
