/** An image's kernel: where it is, and the modules that nodes need of it. */

export { DeviceTrees } from './device-trees.ts';
export { findKernel, type Kernel } from './kernel.ts';
export { type KernelFiles, writeKernelFiles } from './kernel-files.ts';
