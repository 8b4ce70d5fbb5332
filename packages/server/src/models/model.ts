import type { Architecture } from '@walt/contract';
import type { AdapterSet } from './adapters.ts';
import type { Loader } from './loaders.ts';
import type { QemuBoard } from './qemu/index.ts';

/** What a kernel needs there, to speak and to reach the network. */
export interface Fittings {
  /** Where the kernel prints, and what our init prints to: its argument `console=`. */
  console: string;
  /** Where it prints as well, as on a screen. */
  otherConsoles?: readonly string[];
  adapters: AdapterSet;
}

/** Firmware of a Raspberry Pi: https://www.raspberrypi.com/documentation/computers/raspberry-pi.html#boot-modes */
export interface Firmware {
  /** Beginnings of its boards' hardware addresses. Boards of other models may have the same. */
  macPrefixes: readonly string[];
  /** Type in its revision code, bits 4 to 11: what U-Boot has as `board_rev`. */
  boardType: number;
  /** Files under which it asks for its device tree. */
  deviceTrees: readonly string[];
  /** What it loads and runs before it reads its configuration, of Debian's raspi-firmware. None: it has that in its own memory. */
  start: readonly string[];
  /** Bytes of the largest file that it can load. */
  maxFile?: number;
}

/** All that the platform knows of one kind of hardware. */
export interface Model extends Fittings {
  /** As users see it, and as images name it that are made for it. */
  name: string;
  architecture: Architecture;
  /** Architectures whose images it boots, when they have a kernel and name no models. */
  images: readonly Architecture[];
  /** What its firmware loads first from the network. */
  loaders: readonly Loader[];
  /** The CPU that iPXE finds there, where it tells what the machine is. */
  ipxeCpu?: string;
  /** What its U-Boot has as `vendor`, where it has no device tree's file that the model is named after. */
  uBootVendor?: string;
  /** Files of its device tree as kernels bring them, without folders; the first that is there is taken. None: its firmware has one. */
  deviceTrees?: readonly string[];
  /** Firmware that loads kernel, device tree and all else by itself, by TFTP. */
  firmware?: Firmware;
  /** How QEMU plays it, and what is different then; without it, there are no virtual nodes of that model. */
  qemu?: QemuBoard & Fittings;
}
