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
export { type Database, openDatabase } from './database/database.ts';
export {
  type DescribedCopy,
  describeCopies,
  mayCollect,
  openPlatformDatabase,
  type PlatformDatabase,
  restoreDatabase,
} from './database/platform-database.ts';
export type { NodeTable, Schema } from './database/schema.ts';
export {
  draftDiskImage,
  ensureDiskImage,
  loopDevicesOf,
  makeDiskImage,
  mountImage,
  readOnlyMounts,
  removeDrafts,
  requireLoopDevices,
} from './disks/disk-image.ts';
export { makeErofs } from './disks/erofs.ts';
export { unmountIn } from './disks/mounts.ts';
export {
  closeDisks,
  openVolumesDisk,
  remountVolumesDisk,
  requireVolumeRoom,
  requireVolumesApart,
  volumesAreApart,
} from './disks/volumes-disk.ts';
export { ExternalError, hasErrno, isExternalError, isUserError, UserError } from './errors.ts';
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
export { followLog, lastLines } from './logs/journal.ts';
export { createLog, type Log } from './logs/log.ts';
export { LogRotation, rotateLog } from './logs/log-rotation.ts';
export { rarely } from './logs/rarely.ts';
export { nearNames } from './near-names.ts';
export { attempt, type ExecOptions, type ExecResult, run } from './programs/exec.ts';
export { identifyProcess, isAlive, type ProcessIdentity, signalProcess } from './programs/process.ts';
export { Programs } from './programs/programs.ts';
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
} from './programs/server-process.ts';
export { type StreamedProgram, type StreamOptions, streamProgram } from './programs/stream-program.ts';
export type { ProgramSpec, ProgramStatus } from './programs/supervised-program.ts';
export * from './sockets/index.ts';
export { closeFolders } from './state-folders.ts';
