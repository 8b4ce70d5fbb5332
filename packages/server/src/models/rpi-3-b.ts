import type { Model } from './model.ts';
import { raspberryPi } from './raspberry-pi.ts';

/** Raspberry Pi 3 Model B. It boots from the network once a bit of its OTP memory is set. */
export const rpi3B: Model = raspberryPi({
  name: 'rpi-3-b',
  images: ['arm64', 'armhf'],
  deviceTrees: ['bcm2837-rpi-3-b.dtb', 'bcm2710-rpi-3-b.dtb'],
  firmware: {
    macPrefixes: ['b8:27:eb'],
    boardType: 0x08,
    deviceTrees: ['bcm2710-rpi-3-b.dtb'],
    start: ['bootcode.bin', 'start.elf', 'fixup.dat'],
  },
});
