import { pcAdapters } from './adapters.ts';
import { armEfiLoader } from './loaders.ts';
import type { Model } from './model.ts';

/** A machine with a 64-bit ARM CPU whose UEFI describes it by ACPI, as servers and virtual machines have it. */
export const pcArm64: Model = {
  name: 'pc-arm64',
  architecture: 'arm64',
  images: ['arm64'],
  loaders: [armEfiLoader],
  console: 'tty0',
  adapters: pcAdapters,
};
