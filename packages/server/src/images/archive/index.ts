/** What root does with the images as a whole: backups of them, and whether all of their parts fit together. */
export { checkImages } from './check-images.ts';
export { type ArchivedImage, ImageArchive } from './image-archive.ts';
export { prepareAll } from './prepare-all.ts';
