/** What every other part stands on: configuration, files, outside programs, errors, the journal, the database. */
export { projectFile } from './checkout.ts';
export {
  type Config,
  type ContainerLimits,
  DEFAULT_CONFIG_FILE,
  defaultLimits,
  type Limits,
  loadConfig,
  type Paths,
  platformPaths,
  type RegistryConfig,
  type Retention,
} from './config.ts';
export { type Database, openDatabase } from './database.ts';
export {
  draftDiskImage,
  ensureDiskImage,
  loopDevicesOf,
  makeDiskImage,
  mountImage,
  readOnlyMounts,
  removeDrafts,
  requireLoopDevices,
} from './disk-image.ts';
export { makeErofs } from './erofs.ts';
export { ExternalError, hasErrno, isExternalError, isUserError, UserError } from './errors.ts';
export { attempt, type ExecOptions, type ExecResult, run } from './exec.ts';
export {
  fileExists,
  joinInside,
  namesIn,
  publishFile,
  readIfPresent,
  readTail,
  syncFolder,
  writeFileAtomic,
} from './files.ts';
export { hostNamespace, hostNetwork, namespaceFile } from './host.ts';
export { followLog, lastLines } from './journal.ts';
export { createLog, type Log } from './log.ts';
export { LogRotation, rotateLog } from './log-rotation.ts';
export { unmountIn } from './mounts.ts';
export { nearNames } from './near-names.ts';
export {
  type DescribedCopy,
  describeCopies,
  mayCollect,
  openPlatformDatabase,
  type PlatformDatabase,
  restoreDatabase,
} from './platform-database.ts';
export { identifyProcess, isAlive, type ProcessIdentity, signalProcess } from './process.ts';
export { type ProgramSpec, type ProgramStatus, Programs } from './programs.ts';
export { rarely } from './rarely.ts';
export type { NodeTable, Schema } from './schema.ts';
export {
  type Crash,
  endServer,
  isSupervised,
  journalFile,
  liveServer,
  liveSupervisor,
  noteServing,
  openFiles,
  readCrashes,
  recordServer,
  recordSupervisor,
  SUPERVISOR,
  signalSupervisor,
  sinceLastStart,
} from './server-process.ts';
export * from './sockets/index.ts';
export { closeFolders } from './state-folders.ts';
export { type StreamedProgram, type StreamOptions, streamProgram } from './stream-program.ts';
export {
  closeDisks,
  openVolumesDisk,
  remountVolumesDisk,
  requireVolumeRoom,
  requireVolumesApart,
  volumesAreApart,
} from './volumes-disk.ts';
