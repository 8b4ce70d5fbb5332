/** What the firmware of each board asks for, in its order, as logs of TFTP servers show it. */

export interface Board {
  /** Files that come before `config.txt`'s: in the serial number's folder unless `rom` asks for them. */
  rom: readonly string[];
  start: readonly string[];
  deviceTree: string;
  /** It begins with these, which decide whether the folder is used. */
  probes: readonly string[];
}

const bcm2710 = (deviceTree: string): Board => ({
  // Boot ROM, without options.
  rom: ['bootcode.bin', 'bootsig.bin'],
  probes: ['start.elf'],
  start: [
    ...['autoboot.txt', 'config.txt', 'recovery.elf', 'start.elf', 'fixup.dat'],
    ...['recovery.elf', 'config.txt', 'dt-blob.bin', 'recovery.elf', 'config.txt', 'bootcfg.txt'],
  ],
  deviceTree,
});

const bcm2711 = (deviceTree: string): Board => ({
  rom: [],
  probes: ['start4.elf', 'start.elf'],
  start: [
    ...['config.txt', 'pieeprom.sig', 'recover4.elf', 'recovery.elf', 'start4.elf', 'fixup4.dat'],
    ...[
      'recover4.elf',
      'recovery.elf',
      'config.txt',
      'dt-blob.bin',
      'recover4.elf',
      'recovery.elf',
      'config.txt',
      'bootcfg.txt',
    ],
  ],
  deviceTree,
});

export const boards: Readonly<Record<string, Board>> = {
  'rpi-3-b': bcm2710('bcm2710-rpi-3-b.dtb'),
  'rpi-3-b-plus': bcm2710('bcm2710-rpi-3-b-plus.dtb'),
  'rpi-4-b': bcm2711('bcm2711-rpi-4-b.dtb'),
  'rpi-400': bcm2711('bcm2711-rpi-400.dtb'),
  'rpi-cm4': bcm2711('bcm2711-rpi-cm4.dtb'),
  'rpi-5-b': {
    rom: [],
    probes: ['config.txt'],
    start: ['autoboot.txt', 'pieeprom.upd', 'config.txt', 'boot.img', 'config.txt'],
    deviceTree: 'bcm2712-rpi-5-b.dtb',
  },
};
