/** What nodes get over the network: boot scripts, kernel and initramfs, bootstrap document, identity, orders. */

export { keepBusybox } from './busybox.ts';
export type { BootPlan, BootTarget, ModelClass, NodeDirectory, NodeIdentity, Sighting } from './directory.ts';
export type { ImageConfig } from './image-command.ts';
export { InitArchives } from './init-archives.ts';
export { NodeFiles } from './node-files.ts';
export { NodeHttp } from './node-http.ts';
export { NodeTftp } from './node-tftp.ts';
export { ensurePlatformVolume } from './platform-layer.ts';
export {
  hasBootFiles,
  type ImageTree,
  type PreparedBoot,
  prepareBootFiles,
  sweepBootFiles,
} from './prepare.ts';
export { Reads } from './reads.ts';
export { Trees } from './trees.ts';
export { preferredName, requireServerVersion } from './walt-image.ts';
