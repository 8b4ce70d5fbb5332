/** An image's kernel: where it is, and the modules that nodes need of it. */

export { findKernel, type Kernel } from './kernel.ts';
export { writeKernelFiles } from './kernel-files.ts';
