import { pcAdapters } from './adapters.ts';
import { biosLoader } from './loaders.ts';
import type { Model } from './model.ts';

/** A PC whose CPU has no 64-bit mode. */
export const pcX8632: Model = {
  name: 'pc-x86-32',
  architecture: 'i386',
  images: ['i386'],
  loaders: [biosLoader],
  ipxeCpu: 'i386',
  console: 'tty0',
  adapters: pcAdapters,
};
