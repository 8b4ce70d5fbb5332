import type { Model } from './model.ts';
import { raspberryPi } from './raspberry-pi.ts';

/** Raspberry Pi 4 Model B. */
export const rpi4B: Model = raspberryPi({
  name: 'rpi-4-b',
  images: ['arm64', 'armhf'],
  deviceTrees: ['bcm2711-rpi-4-b.dtb'],
  firmware: {
    macPrefixes: ['dc:a6:32', 'e4:5f:01', 'd8:3a:dd', '2c:cf:67', '88:a2:9e'],
    boardType: 0x11,
    deviceTrees: ['bcm2711-rpi-4-b.dtb'],
    start: ['start4.elf', 'fixup4.dat'],
  },
});
