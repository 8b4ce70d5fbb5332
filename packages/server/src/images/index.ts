/**
 * Images: names, digests, layers and volumes; what changes them. Owns podman, buildah, skopeo,
 * mmdebstrap, binfmt_misc.
 */
export { defaultImageName, serverArchitecture } from './architectures.ts';
export type { ImageBuildOrder } from './build/index.ts';
export { createImageCalls, type ImageStreams } from './calls/index.ts';
export type { BootingNodes, Expected, ImageName, LayerRecord } from './catalogue/index.ts';
export { type ImageTables, imagePointers, imageTables } from './catalogue/index.ts';
export type { TerminalSize } from './containers/index.ts';
export type { CrossRequest } from './cross/index.ts';
export { unregisterEmulators } from './emulation.ts';
export { haltImages } from './halt.ts';
export { type Collected, diskSize, type VersionChoice } from './history/index.ts';
export { Images, type ImagesDeps } from './images.ts';
export type { JobClient } from './jobs/index.ts';
export { volumeName } from './layers/index.ts';
export type { CommandRun, SessionChanges, SessionRecord, Terminal } from './sessions/index.ts';
export type { BootPlan, DigestRecord, HostCommand, ImageRecord, PrepareBoot } from './types.ts';
