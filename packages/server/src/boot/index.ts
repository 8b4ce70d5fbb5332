/** What nodes get over the network: boot scripts, kernel and initramfs, bootstrap document, identity, orders. */

export { keepBusybox } from './binaries/busybox.ts';
export type { BootPlan, BootTarget, ModelClass, NodeDirectory, NodeIdentity, Sighting } from './directory.ts';
export { InitArchives } from './initramfs/init-archives.ts';
export { Reads } from './initramfs/reads.ts';
export type { ImageConfig } from './lending/image-command.ts';
export { ensurePlatformVolume } from './lending/platform-layer.ts';
export { Trees } from './lending/trees.ts';
export {
  hasBootFiles,
  type ImageTree,
  type PreparedBoot,
  prepareBootFiles,
  sweepBootFiles,
} from './prepare.ts';
export { NodeFiles } from './serve/node-files.ts';
export { NodeHttp } from './serve/node-http.ts';
export { NodeTftp } from './serve/node-tftp.ts';
export { preferredName, requireServerVersion } from './walt-images/walt-image.ts';
