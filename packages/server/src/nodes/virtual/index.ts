/** QEMU, and all that only its owner must know. */
export { findAccelerator, isUsable, kvmProbes } from './accelerator.ts';
export {
  compareDisks,
  ensureDisks,
  isDiskFile,
  isMadeDisk,
  removeOtherDisks,
  requireDiskRoom,
  usedBytes,
} from './disks.ts';
export {
  type Accelerator,
  adapterOn,
  type Host,
  knownMachine,
  type Machine,
  machineFiles,
  machineOf,
  onTap,
  qemuArguments,
  tapName,
  type VirtualMachine,
} from './machine.ts';
export { answers } from './qmp.ts';
export { writeSharedFiles } from './shared-files.ts';
