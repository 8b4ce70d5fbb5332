/**
 * How much the server takes of an image's files, in bytes. Far more than any distribution has (the longest list of modules is one
 * of 2 MB), and so little that reading it keeps nobody waiting for a second. What has more is refused.
 */

import type { Limits } from '../platform/index.ts';

/** The bounds of boot files that the administrator chooses. */
export type BootLimits = Pick<Limits, 'bootFile'>;

const MiB = 1024 * 1024;

/** A text that the server reads: accounts, settings, a kernel's configuration. */
export const TEXT_LIMIT = MiB;
/** One of the lists that depmod(8) makes of a kernel's modules. */
export const INDEX_LIMIT = 4 * MiB;
/** `/etc/inittab`: each of its programs is looked for. */
export const INITTAB_LIMIT = 64 * 1024;
/** A template of an image made for WalT, and all of them. */
export const TEMPLATE_LIMIT = MiB;
export const TEMPLATES_LIMIT = 8 * MiB;
/** A kernel module, packed and unpacked. */
export const MODULE_LIMIT = 64 * MiB;
/** All modules of an initramfs, unpacked. */
export const MODULES_LIMIT = 128 * MiB;
/** Modules of an initramfs: some hundred, in truth. */
export const MAX_MODULES = 2000;
/** Firmware files of an initramfs, unpacked, and how many their modules may name. */
export const FIRMWARE_LIMIT = 128 * MiB;
export const MAX_FIRMWARE = 10_000;
/** A kernel's device tree, and all of them. */
export const DEVICE_TREE_LIMIT = MiB;
export const DEVICE_TREES_LIMIT = 128 * MiB;
/** Device trees of a kernel: some hundred, in truth. */
export const MAX_DEVICE_TREES = 5000;
/** A program or library that is lent, and a lent kernel's modules. */
export const PROGRAM_LIMIT = 64 * MiB;
export const MODULE_TREE_LIMIT = 2048 * MiB;
/** Folders of modules that are looked at. */
export const MAX_RELEASES = 1000;
/** Entries of the folders from which an image's own boot script loads. */
export const MAX_BOOT_ENTRIES = 10_000;
