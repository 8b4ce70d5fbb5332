import type { Model } from './model.ts';
import { raspberryPi } from './raspberry-pi.ts';

/** Raspberry Pi 2 Model B, with U-Boot on a card: its boot ROM knows no network. */
export const rpi2B: Model = raspberryPi({
  name: 'rpi-2-b',
  architecture: 'armhf',
  images: ['armhf'],
  deviceTrees: ['bcm2836-rpi-2-b.dtb', 'bcm2709-rpi-2-b.dtb'],
});
