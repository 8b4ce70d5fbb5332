/** Names of images and the digests that they point to, and which of these are needed still. */

export type { BootingNodes } from './booting-nodes.ts';
export { Catalogue } from './catalogue.ts';
export { DISPLACED, type Expected, gone, type Move, movedMeanwhile, taken } from './catalogue-rows.ts';
export { imageDigestsIn } from './image-digests.ts';
export type { LayerRecord } from './layer-rows.ts';
export { lineage, numberVersions, versionsOf } from './lineage.ts';
export type { Keeping } from './needless.ts';
export { noSuchImage } from './no-such-image.ts';
export { imagePointers } from './pointers.ts';
export type { SessionRow } from './sessions.ts';
export { ImageSharing, type SharedWith, visibilityOf } from './sharing.ts';
export { type ImageTables, imageTables } from './tables.ts';
export { imageUsage } from './usage.ts';
