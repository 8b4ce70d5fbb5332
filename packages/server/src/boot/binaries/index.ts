/** Programs that nodes are given: the CPU that they are for, and the libraries that they need. */

export { keepBusybox, readBusybox } from './busybox.ts';
export { dmCall, type ProvenVolume, verityRequest } from './dm-call.ts';
export { dynamicNeeds } from './elf-libraries.ts';
export { keepGrub } from './grub.ts';
export { kexecCall } from './kexec-call.ts';
