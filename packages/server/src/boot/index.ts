/** What nodes get over the network: boot scripts, kernel and initramfs, bootstrap document, identity, orders. */
export type { BootPlan, BootTarget, ModelClass, NodeDirectory, NodeIdentity, Sighting } from './directory.ts';
export type { ImageConfig } from './image-command.ts';
export { NodeHttp } from './node-http.ts';
export { ensurePlatformVolume } from './platform-layer.ts';
export { type ImageTree, type PreparedBoot, prepareBootFiles, sweepBootFiles } from './prepare.ts';
export { Reads } from './reads.ts';
export { Trees } from './trees.ts';
export { preferredName, requireServerVersion } from './walt-image.ts';
