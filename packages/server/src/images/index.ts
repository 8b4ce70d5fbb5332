/**
 * Images: names, digests, layers and volumes; what changes them. Owns podman, buildah, skopeo,
 * mmdebstrap, binfmt_misc.
 */
export { defaultImageName, serverArchitecture } from './architectures.ts';
export type { ImageBuildClient, ImageBuildOrder } from './build/index.ts';
export type { Expected, ImageName } from './catalogue/catalogue-rows.ts';
export type { LayerRecord } from './catalogue/layer-rows.ts';
export type { TerminalSize } from './containers/containers.ts';
export type { BuildClient, BuildRequest } from './cross/index.ts';
export { unregisterEmulators } from './emulation.ts';
export { haltImages } from './halt.ts';
export { type Collected, diskSize, type VersionChoice } from './history/image-history.ts';
export { Images, type ImagesDeps } from './images.ts';
export { volumeName } from './layers/volumes.ts';
export type { CommandRun } from './sessions/command-run.ts';
export type { SessionChanges, SessionRecord, Terminal } from './sessions/session.ts';
export type { BootPlan, DigestRecord, HostCommand, ImageRecord, PrepareBoot } from './types.ts';
