/** File trees that users made, and what root may do in them: read, by steps that cannot lead out. */
export { CONFINED_TREE, confined } from './confined.ts';
export { copyFile, copyFolder, writeSparse } from './copy.ts';
export { Folder } from './folder.ts';
export { bytesOf, isName, join, rawOf, textOf, withoutSlashes } from './names.ts';
export { removeTree } from './remove.ts';
export { sameBytes } from './same-bytes.ts';
export { Tree, type TreePlace, tooLarge, withTree } from './tree.ts';
