/** An image's kernels: where they are, and the modules that nodes need of it. */

export { DeviceTrees } from './device-trees.ts';
export { findKernels, type Kernels } from './kernel.ts';
export { type KernelFiles, writeKernelFiles } from './kernel-files.ts';
