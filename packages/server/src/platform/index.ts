/** What every other part stands on: configuration, files, outside programs, errors, the journal, the database. */
export { projectFile } from './checkout.ts';
export {
  type AccessConfig,
  type Config,
  configFile,
  loadConfig,
  type RegistryConfig,
  type Retention,
  readConfig,
  settingNames,
} from './config.ts';
export {
  type AnyDatabase,
  copyClosedDatabase,
  copyOpenDatabase,
  type Database,
  type DescribedCopy,
  describeCopies,
  type GroupedWrites,
  groupedWrites,
  isPostgres,
  mayCollect,
  openCopy,
  openDatabase,
  openPlatformDatabase,
  openPostgres,
  openSpareRoom,
  openSqliteDatabase,
  type PostgresAccess,
  type PostgresSession,
  restoreDatabase,
  type TableSet,
  tablesOf,
  together,
  unknownMigrations,
  whileUnwritten,
} from './database/index.ts';
export {
  blocksOf,
  closeDisks,
  type Disk,
  type DiskContent,
  DiskFull,
  diskOf,
  diskUse,
  draftDiskImage,
  ensureDiskImage,
  HashTree,
  isSoundErofs,
  loopDevicesOf,
  makeDisk,
  makeDiskImage,
  makeErofs,
  mountImage,
  openVolumesDisk,
  ReserveFile,
  RoomGuard,
  readOnlyMounts,
  remountVolumesDisk,
  removeDrafts,
  requireVolumeRoom,
  requireVolumesApart,
  roomIn,
  sizeWithTree,
  unmountIn,
  volumesAreApart,
} from './disks/index.ts';
export { ExternalError, hasErrno, isExternalError, isUserError, UserError } from './errors.ts';
export {
  fileExists,
  joinInside,
  namesIn,
  publishFile,
  readIfPresent,
  readTail,
  sizeIfPresent,
  syncFolder,
  writeFileAtomic,
} from './files.ts';
export { type Finding, left, mended } from './finding.ts';
export { hostNamespace, hostNetwork, namespaceFile } from './host.ts';
export { problemOf as problemOfAdapter, type WantedAdapter } from './interfaces.ts';
export { type ContainerLimits, defaultLimits, type Limits } from './limits-config.ts';
export {
  createLog,
  eventText,
  type Fields,
  followLog,
  type Log,
  LogRotation,
  lastLines,
  rarely,
  rotateLog,
} from './logs/index.ts';
export { nameList } from './name-list.ts';
export { nearNames } from './near-names.ts';
export { openFilesLimit } from './open-files.ts';
export { type Paths, platformPaths } from './paths.ts';
export type { PostgresPlace } from './postgres-config.ts';
export type { PowerConfig, PowerConfigOf, PowerConfigs } from './power-config.ts';
export type { ProgramSpec } from './programs/index.ts';
export {
  attempt,
  type Crash,
  type ExecOptions,
  type ExecResult,
  endServer,
  findProgram,
  identifyProcess,
  isAlive,
  isSupervised,
  journalFile,
  liveServer,
  liveSupervisor,
  noteServing,
  openFiles,
  type ProcessIdentity,
  Programs,
  readCrashes,
  recordServer,
  recordSupervisor,
  run,
  ServiceNotices,
  type StreamedProgram,
  SUPERVISOR,
  signalProcess,
  signalSupervisor,
  sinceLastStart,
  streamProgram,
  withFileLock,
  withFreeFileLock,
} from './programs/index.ts';
export { NO_QUOTAS, QUOTA_NAMES, type QuotaConfig, type QuotaName, type QuotaSet } from './quota-config.ts';
export { readSecretFile } from './secret-file.ts';
export type { SlurmConfig } from './slurm-config.ts';
export * from './sockets/index.ts';
export { closeFolders } from './state-folders.ts';
export { inParallel, KeyedLock, KeyedTurns } from './turns.ts';
