/**
 * What the firmware of a Raspberry Pi asks for by TFTP, and what it reads: `config.txt` and `cmdline.txt`
 * (https://www.raspberrypi.com/documentation/computers/config_txt.html).
 */
import type { Architecture } from '@walt/contract';
import type { BootTarget } from '../directory.ts';
import { kernelArguments } from './script-parts.ts';

/**
 * The firmware puts a folder in front: its board's serial number, or its hardware address where its EEPROM says TFTP_PREFIX=2. It
 * leaves that out when it has found none of its start files there. A serial number is told by nothing but this: it proves nothing.
 */
const PATH =
  /^(?:[0-9a-f]{8}\/|[0-9a-f]{16}\/|(?:[0-9a-f]{2}-){5}[0-9a-f]{2}\/)?([A-Za-z0-9][A-Za-z0-9._+-]{0,99})$/;

/** A file that firmware may want, without its folder. Undefined: it wants no such path, which may have its overlays' folder. */
export function firmwareFile(path: string): string | undefined {
  return PATH.exec(path)?.[1];
}

/** Names that `config.txt` gives to what the server makes. */
export const FIRMWARE_FILES = {
  kernel: 'vmlinuz',
  initramfs: 'initramfs',
  arguments: 'cmdline.txt',
} as const;

/**
 * The same for all boards: their firmware then asks for the device tree of its own board, which tells the model. It finds 64-bit
 * kernels by itself only under names of its own.
 */
export function configText(architecture: Architecture): string {
  return [
    '# Made by WalT for this node. What is changed here is not kept: it is made anew at each boot.',
    `arm_64bit=${architecture === 'arm64' ? 1 : 0}`,
    // Without it, the wire of pins 8 and 10 has no steady clock.
    'enable_uart=1',
    // Kernels of distributions do not say in their device trees which boards they are for, as os_check wants it.
    'os_check=0',
    `kernel=${FIRMWARE_FILES.kernel}`,
    `initramfs ${FIRMWARE_FILES.initramfs} followkernel`,
    '',
  ].join('\n');
}

/** One line: what follows it is ignored. */
export function argumentsText(target: BootTarget): string {
  return `${kernelArguments(target)}\n`;
}
