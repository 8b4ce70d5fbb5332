/**
 * What a virtual board's U-Boot does when it starts, as the contents of its second flash. Its own default looks for a dozen kinds
 * of disks first, waits for a key, and stops at a prompt for ever when there is no server. Ours asks DHCP at once, runs the script
 * that it gets, and starts over until there is one.
 *
 * Layout: CRC-32 of the rest, then `NAME=VALUE` with a NUL behind each, and one more at the end (U-Boot, env/common.c).
 */
import { truncate } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { writeFileAtomic } from '../../platform/index.ts';
import type { UBootModel } from './machine.ts';

/** Size of the second flash of QEMU's `virt` machine, in bytes. */
const FLASH_SIZE = 64 * 1024 * 1024;
/** `CONFIG_ENV_SIZE` of Debian's u-boot-qemu, in bytes. */
const ENVIRONMENT_SIZE = 0x4_0000;

const MODELS: Record<UBootModel, Record<string, string>> = {
  'qemu-arm64': { cpu: 'armv8' },
  // A 32-bit kernel reaches the first 760 MiB of memory only, while it starts: device tree and initramfs must lie there.
  'qemu-armhf': { cpu: 'armv7', fdt_high: '0x48000000', initrd_high: '0x48000000' },
};

/** Memory begins at 1 GiB, with the device tree that QEMU makes. The rest is as in U-Boot's own default. */
const addresses = {
  fdt_addr: '0x40000000',
  scriptaddr: '0x40200000',
  kernel_addr_r: '0x40400000',
  ramdisk_addr_r: '0x44000000',
};

/** Pure; the first `ENVIRONMENT_SIZE` bytes of the flash. */
export function environment(model: UBootModel): Buffer {
  const variables = {
    arch: 'arm',
    ...MODELS[model],
    vendor: 'emulation',
    board: 'qemu-arm',
    ...addresses,
    bootdelay: '0',
    // DHCP names the script. A machine that is reset is a new QEMU, after a pause that spares the server.
    bootcmd:
      // biome-ignore lint/suspicious/noTemplateCurlyInString: U-Boot fills it in
      'if dhcp ${scriptaddr}; then source ${scriptaddr}; fi; echo WalT: no boot script; sleep 2; reset',
  };
  const text = Object.entries(variables).map(([name, value]) => `${name}=${value}\0`);
  const flash = Buffer.alloc(ENVIRONMENT_SIZE);
  flash.write(`${text.join('')}\0`, 4, 'latin1');
  flash.writeUInt32LE(crc32(flash.subarray(4)), 0);
  return flash;
}

/** Writes the flash of a model, before any machine is started. Running ones keep the file that they opened. */
export async function writeEnvironment(file: string, model: UBootModel): Promise<void> {
  await writeFileAtomic(file, environment(model));
  await truncate(file, FLASH_SIZE);
}
