/** How QEMU plays boards: what a model's file says of its virtual machine. */
export { type QemuBoard, virtioDevices } from './board.ts';
export { enterKeyRom } from './enter-key-rom.ts';
export { EMULATION, uBootBoard } from './u-boot.ts';
