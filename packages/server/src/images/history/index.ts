/** Versions of images: listed, compared, taken back, joined into one layer. Owns diff. */
export { diskSize, GRACE_SECONDS, ImageHistory, type VersionChoice } from './image-history.ts';
export { squash } from './squash.ts';
