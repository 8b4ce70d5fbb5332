import type { Architecture } from '@walt/contract';
import type { AdapterSet } from './adapters.ts';
import type { Loader } from './loaders.ts';
import type { QemuBoard } from './qemu/index.ts';

/** What a kernel needs there, to speak and to reach the network. */
export interface Fittings {
  /** Where the kernel prints, and what our init prints to: its argument `console=`. */
  console: string;
  adapters: AdapterSet;
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
  /** How QEMU plays it, and what is different then; without it, there are no virtual nodes of that model. */
  qemu?: QemuBoard & Fittings;
}
