/** What nodes get over the network: boot scripts, kernel and initramfs, bootstrap document, identity, orders. */

export { keepBusybox, keepGrub, type ProvenVolume } from './binaries/index.ts';
export { bootFaults, readBootRecord } from './boot-files.ts';
export type {
  BootTarget,
  DiskReport,
  KexecLeave,
  NodeDirectory,
  NodeRoom,
  PollReport,
} from './directory.ts';
export { InitArchives, Reads, volumesOf } from './initramfs/index.ts';
export type { ImageConfig } from './lending/index.ts';
export {
  changesSender,
  ensurePlatformVolume,
  type PlatformPaths,
  platformPaths,
  Trees,
} from './lending/index.ts';
export {
  hasBootFiles,
  type ImageTree,
  type PreparedBoot,
  prepareBootFiles,
  sweepBootFiles,
} from './prepare.ts';
export { NodeFiles, NodeHttp, NodeTftp } from './serve/index.ts';
export { writeUsbImage } from './usb-image.ts';
export { preferredName, requireServerVersion } from './walt-images/index.ts';
