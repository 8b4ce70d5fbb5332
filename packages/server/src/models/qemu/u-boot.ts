/**
 * QEMU's `virt` machine with Debian's u-boot-qemu, and what its U-Boot does when it starts, as the contents of its second flash.
 * U-Boot's own default looks for a dozen kinds of disks first, waits for a key, and stops at a prompt for ever when there is no
 * server. Ours asks DHCP at once, runs the script that it gets, and starts over until there is one.
 *
 * Layout: CRC-32 of the rest, then `NAME=VALUE` with a NUL behind each, and one more at the end (U-Boot, env/common.c).
 */
import { crc32 } from 'node:zlib';
import { type QemuBoard, virtioDevices } from './board.ts';

/** `vendor` of these boards' U-Boot. */
export const EMULATION = 'emulation';

/** Size of the second flash, in bytes. */
const FLASH_SIZE = 64 * 1024 * 1024;
/** `CONFIG_ENV_SIZE` of Debian's u-boot-qemu, in bytes. */
const ENVIRONMENT_SIZE = 0x4_0000;

/** Memory begins at 1 GiB, with the device tree that QEMU makes. The rest is as in U-Boot's own default. */
const addresses = {
  fdt_addr: '0x40000000',
  scriptaddr: '0x40200000',
  kernel_addr_r: '0x40400000',
  ramdisk_addr_r: '0x44000000',
};

interface Board extends Pick<QemuBoard, 'machine' | 'cpu' | 'limit'> {
  /** Of the model. */
  name: string;
  emulator: string;
  /** U-Boot itself. */
  uBoot: string;
  /** What this board's U-Boot has as `cpu` and other variables of its own. */
  variables: Record<string, string>;
}

export function uBootBoard({ name, uBoot, variables, ...board }: Board): QemuBoard {
  const flash = `${name}.environment`;
  return {
    ...board,
    kvm: false,
    // U-Boot 2023.01 reads a wrong hardware address from a card on PCI.
    ...virtioDevices('device'),
    firmware: ({ file }) => [
      ...['-bios', uBoot],
      ...['-drive', `if=pflash,unit=1,format=raw,readonly=on,file=${file(flash)}`],
    ],
    files: [{ name: flash, content: () => environment(variables), size: FLASH_SIZE }],
    needs: { files: [board.emulator, uBoot], packages: 'qemu-system-arm and u-boot-qemu' },
  };
}

/** Pure; the first `ENVIRONMENT_SIZE` bytes of the flash. */
function environment(variables: Record<string, string>): Buffer {
  const all = {
    arch: 'arm',
    ...variables,
    vendor: EMULATION,
    board: 'qemu-arm',
    ...addresses,
    bootdelay: '0',
    // DHCP names the script. A machine that is reset is a new QEMU, after a pause that spares the server.
    bootcmd:
      // biome-ignore lint/suspicious/noTemplateCurlyInString: U-Boot fills it in
      'if dhcp ${scriptaddr}; then source ${scriptaddr}; fi; echo WalT: no boot script; sleep 2; reset',
  };
  const text = Object.entries(all).map(([name, value]) => `${name}=${value}\0`);
  const flash = Buffer.alloc(ENVIRONMENT_SIZE);
  flash.write(`${text.join('')}\0`, 4, 'latin1');
  flash.writeUInt32LE(crc32(flash.subarray(4)), 0);
  return flash;
}
