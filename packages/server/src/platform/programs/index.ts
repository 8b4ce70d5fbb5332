/** Outside programs: those that run to their end, as a whole or as a stream, and those that outlive the server. */
export { attempt, type ExecOptions, type ExecResult, run } from './exec.ts';
export { withFileLock, withFreeFileLock } from './file-lock.ts';
export { identifyProcess, isAlive, type ProcessIdentity, signalProcess } from './process.ts';
export { findProgram } from './program-record.ts';
export { Programs } from './programs.ts';
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
export { ServiceNotices } from './service-notices.ts';
export { type StreamedProgram, streamProgram } from './stream-program.ts';
export type { ProgramSpec } from './supervised-program.ts';
