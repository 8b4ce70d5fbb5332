/** What a node's firmware is told: which image, and how to load it. Knows scripts of iPXE, U-Boot and GRUB. */
export { type BootRequest, chooseBoot, judgeBoot, noteWaiting } from './boot-choice.ts';
export { GRUB_HTTP, GRUB_SCRIPT, grubScript } from './grub.ts';
export { boardOf, imageModels, machineOf } from './hardware.ts';
export { ipxeScript } from './ipxe.ts';
export { beginKexec } from './kexec.ts';
export { argumentsText, configText, FIRMWARE_FILES, firmwareFile } from './raspberry.ts';
export { questionScript, UBOOT_QUESTION, uBootScript } from './u-boot.ts';
