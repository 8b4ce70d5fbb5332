import type { Model } from './model.ts';
import { raspberryPi } from './raspberry-pi.ts';

/** Raspberry Pi 5 Model B. Its start file is in its EEPROM. */
export const rpi5B: Model = raspberryPi({
  name: 'rpi-5-b',
  images: ['arm64'],
  // The connector between its HDMI sockets.
  console: 'ttyAMA10,115200',
  deviceTrees: ['bcm2712-rpi-5-b.dtb'],
  firmware: {
    macPrefixes: ['d8:3a:dd', '2c:cf:67', '88:a2:9e'],
    boardType: 0x17,
    deviceTrees: ['bcm2712-rpi-5-b.dtb', 'bcm2712d0-rpi-5-b.dtb'],
    start: [],
    // Its TFTP client asks for blocks of 1024 bytes, and their numbers end at 65,535 (raspberrypi/rpi-eeprom#720).
    maxFile: 65_535 * 1024,
  },
});
