import { readFileSync } from 'node:fs';
import { hasErrno } from '../errors.ts';

/** A process, told apart from any later one with the same number. */
export interface ProcessIdentity {
  pid: number;
  /** Clock ticks between boot and its start: field 22 of /proc/PID/stat (proc_pid_stat(5)). */
  startTime: string;
}

/** The live process with that number; undefined when there is none, or only the zombie of one. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid);
  if (stat === undefined) return undefined;
  const { state, startTime } = parseStat(stat);
  // A container's first process may never collect the orphans that it is given: a zombie is dead.
  if (state === 'Z' || state === 'X') return undefined;
  return { pid, startTime };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.startTime === identity.startTime;
}

/** Sends a signal to exactly that process; false when it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch (error) {
    if (hasErrno(error, 'ESRCH')) return false;
    throw error;
  }
}

/** State letter and start time from the text of /proc/PID/stat. The name in brackets may hold blanks and brackets. */
export function parseStat(stat: string): { state: string; startTime: string } {
  // Fields from the third (state) on; the start time is the 22nd of all.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  if (state === undefined || startTime === undefined) throw new TypeError('ill-formed /proc/PID/stat');
  return { state, startTime };
}

function readStat(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    // ESRCH: it ended between open and read.
    if (hasErrno(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
}

/** Names the machine's present boot: with another one, process numbers and start times mean nothing. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
