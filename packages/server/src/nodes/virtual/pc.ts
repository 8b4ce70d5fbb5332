/** The PC that QEMU plays, as nodes have it and as KVM is tried with. */

export const QEMU = 'qemu-system-x86_64';

/** What runs the guest's instructions: the CPU itself, or QEMU. */
export type Accelerator = 'kvm' | 'tcg';

export const PC = {
  // With `graphics=off` BIOS and iPXE speak on the serial console. What is off has no use on a node without screen and disk.
  machine: 'q35,graphics=off,smm=off,vmport=off,i8042=off,sata=off,smbus=off',
  // No 57-bit addresses: a fifth level of page tables costs TCG a step at each miss of its TLB.
  cpu: 'max,la57=off',
} as const;

/** In QEMU's option lists a comma ends a value, and two are one. */
export function escapeValue(value: string): string {
  return value.replaceAll(',', ',,');
}
