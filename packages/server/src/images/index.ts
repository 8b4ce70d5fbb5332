/**
 * Images: names, digests, layers and volumes; what changes them. Owns podman, buildah, skopeo,
 * mmdebstrap, binfmt_misc.
 */

export { defaultImageName } from './architectures.ts';
export { ImageArchive, prepareAll } from './archive/index.ts';
export { createImageCalls, type ImageStreams } from './calls/index.ts';
export type { BootingNodes } from './catalogue/index.ts';
export { type ImageTables, imageDigestsIn, imagePointers, imageTables } from './catalogue/index.ts';
export type { TerminalSize } from './containers/index.ts';
export { unregisterEmulators } from './emulation.ts';
export { haltImages } from './halt.ts';
export { Images } from './images.ts';
export { type JobClient, OpenJobs } from './jobs/index.ts';
export { VolumeDigests, volumeName } from './layers/index.ts';
export { RaspiFirmware } from './recipes/index.ts';
export { type SentChange, SentChanges } from './sent/index.ts';
export type { SessionRecord, Terminal } from './sessions/index.ts';
export type { DigestRecord, ImageRecord } from './types.ts';
