/** Virtual nodes: QEMU and all that only QEMU's owner must know. */
export { findAccelerator } from './accelerator.ts';
export { compareDisks } from './disks.ts';
export {
  type Accelerator,
  adapterOn,
  knownMachine,
  type Machine,
  machineOf,
  onTap,
  tapName,
  type VirtualMachine,
} from './machine.ts';
export { VirtualMachines } from './virtual-machines.ts';
