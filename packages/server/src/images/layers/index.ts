/** Layers: made by us, received, committed, and kept as the volumes that nodes mount. */
export { Committer } from './committer.ts';
export { CopyLayer, type CopyTarget } from './copy-layer.ts';
export type { Hold } from './held-images.ts';
export { plainManifest } from './image-draft.ts';
export {
  clearance,
  deletion,
  LayerHeaders,
  layerOf,
  MAX_DEPTH,
  refusalOf,
  requireNamesForLayer,
  whyNotInLayer,
} from './layer-tar.ts';
export { addLayer, type LayerParts } from './new-layer.ts';
export {
  chooseImage,
  type Descriptor,
  type Manifest,
  parseConfiguration,
  parseManifest,
  sha256,
} from './oci-manifest.ts';
export { deletions, withoutPhantoms } from './phantoms.ts';
export { padding } from './tar/index.ts';
export { archive } from './tree-archive.ts';
export { treeVolumes } from './tree-volumes.ts';
export { VolumeDigests } from './volume-digests.ts';
export { type VolumeDraft, Volumes, type VolumesAhead, volumeName } from './volumes.ts';
