/** What a node has before its root: programs, modules, and what only this node must know. */
export { bootstrapDocument, volumesOf } from './bootstrap.ts';
export { type CpioEntry, cpioArchive } from './cpio.ts';
export { IDENTITY_PATHS, identityTree } from './identity.ts';
export { InitArchives } from './init-archives.ts';
export {
  archiveName,
  diskArchive,
  diskArchiveName,
  moduleArchive,
  nodeArchive,
  type PackedModule,
} from './initramfs.ts';
export { MAX_READS_REPORT, Reads } from './reads.ts';
