import type { Model } from './model.ts';
import { raspberryPi } from './raspberry-pi.ts';

/** Raspberry Pi 400: the one in a keyboard. */
export const rpi400: Model = raspberryPi({
  name: 'rpi-400',
  images: ['arm64', 'armhf'],
  deviceTrees: ['bcm2711-rpi-400.dtb'],
  firmware: {
    macPrefixes: ['dc:a6:32', 'e4:5f:01', 'd8:3a:dd', '2c:cf:67'],
    boardType: 0x13,
    deviceTrees: ['bcm2711-rpi-400.dtb'],
    start: ['start4.elf', 'fixup4.dat'],
  },
});
