/** Power of nodes from outside: a file for each kind of source that can reset one (QEMU so far). */
export { Power } from './power.ts';
export { qemuPower } from './qemu.ts';
export type { PowerActs } from './source.ts';
