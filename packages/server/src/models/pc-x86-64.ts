import { pcAdapters, virtualAdapters } from './adapters.ts';
import { biosLoader, efiLoader } from './loaders.ts';
import type { Model } from './model.ts';
import { enterKeyRom, virtioDevices } from './qemu/index.ts';

/** As virtual nodes of the Python WalT have it. In QEMU's option lists a comma ends a value, and two are one. */
const PRODUCT = 'Standard PC (i440FX + PIIX,, 1996)';
const ENTER_KEY = 'enter-key.rom';

/** A PC of today, with BIOS or UEFI. */
export const pcX8664: Model = {
  name: 'pc-x86-64',
  architecture: 'amd64',
  images: ['amd64', 'i386'],
  loaders: [biosLoader, efiLoader],
  ipxeCpu: 'x86_64',
  console: 'tty0',
  adapters: pcAdapters,
  qemu: {
    console: 'ttyS0,115200',
    adapters: virtualAdapters,
    emulator: 'qemu-system-x86_64',
    // With `graphics=off` BIOS and iPXE speak on the serial console. What is off has no use on a node without screen and disk.
    machine: 'q35,graphics=off,smm=off,vmport=off,i8042=off,sata=off,smbus=off',
    // No 57-bit addresses: a fifth level of page tables costs TCG a step at each miss of its TLB.
    cpu: 'max,la57=off',
    // Programs that see ERMS copy by `rep movsb`, which TCG does byte by byte; without it, by eight: boots take a tenth less time.
    emulatedCpu: 'max,la57=off,erms=off',
    kvm: true,
    ...virtioDevices('pci'),
    firmware: ({ file, id }) => [
      // What iPXE knows as ${manufacturer}, ${product} and ${serial}. Images made for WalT have a `boot-params.ipxe` for machines
      // that say this of themselves, by which their kernels print on the serial console.
      ...['-smbios', `type=1,manufacturer=QEMU,product=${PRODUCT},serial=${id}`],
      // The server may be away for a moment when iPXE asks it: the BIOS then starts over, after so many milliseconds.
      ...['-boot', 'menu=off,strict=on,reboot-timeout=1000'],
      ...['-option-rom', file(ENTER_KEY)],
    ],
    files: [{ name: ENTER_KEY, content: enterKeyRom }],
  },
};
