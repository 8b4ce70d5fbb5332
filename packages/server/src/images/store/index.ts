/** The store of images as podman keeps it: its service, its layers, copies into it and out of it. Owns podman, skopeo. */
export { type LimitNotes, limitNote, reachedLimit } from './limit-notes.ts';
export { isPodmanError, PodmanApi } from './podman-api.ts';
export { Skopeo } from './skopeo.ts';
export { imageId, Store } from './store.ts';
export type { PresentLayer, StoredLayer } from './stored-image.ts';
export { emptyNetworks, removeNetworks } from './stray-networks.ts';
