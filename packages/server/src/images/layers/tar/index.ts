/** tar(5) archives, as POSIX's pax has them: read from anybody, written for those who unpack layers. */

export type { TarHeader, TarType } from './header.ts';
export { Held, type HeldLimits } from './held.ts';
export { readTar, type TarEntry } from './read.ts';
export { endOfTar, padding, tarHeader } from './write.ts';
