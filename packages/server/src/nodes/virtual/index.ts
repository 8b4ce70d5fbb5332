/** Virtual nodes: QEMU and all that only QEMU's owner must know. */
export { type Accelerator, findAccelerator } from './accelerator.ts';
export type { VirtualMachine } from './machine.ts';
export { VirtualMachines } from './virtual-machines.ts';
