/** Boots by kexec: the kernel that a node runs starts the next one, without its firmware. */
export { kexecOf } from './kexec.ts';
