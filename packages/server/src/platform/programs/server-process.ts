/** The server's own process, as those see it who start, stop and watch it: its number, its unexpected ends. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readIfPresent, writeFileAtomic } from '../files.ts';
import { openFilesLimit } from '../open-files.ts';
import type { Paths } from '../paths.ts';
import { bootId, identifyProcess, isAlive, type ProcessIdentity, signalProcess } from './process.ts';
import { type ProgramRecord, ProgramRecords } from './program-record.ts';

/** Name under which the supervisor is recorded among the programs that outlive the server. Its log is the server's journal. */
export const SUPERVISOR = 'walt-server';
/** What supervise.sh writes into the journal before it starts the server. */
const START = ' info supervisor the server starts\n';
/** Milliseconds between SIGTERM and SIGKILL, and then until we give up. */
const STOP_LIMIT = 6_000;
/** Seconds for which an unexpected end is told. */
const TOLD = 24 * 3600;

/** An unexpected end of the server, as supervise.sh notes it. */
export interface Crash {
  /** Unix time in seconds. */
  at: number;
  /** Exit status as a shell tells it: 128 and the signal's number for one that was killed. */
  status: number;
  /** Seconds. */
  lived: number;
  /** The server's first words on it. */
  reason: string;
}

type Runtime = Pick<Paths, 'runtime'>;

export function journalFile(paths: Pick<Paths, 'logs'>): string {
  return join(paths.logs, `${SUPERVISOR}.log`);
}

/** What of the journal's end comes from the present or last server. */
export function sinceLastStart(journal: string): string {
  return journal.slice(Math.max(0, journal.lastIndexOf(START)));
}

/** The supervisor that lives, if one does. */
export async function liveSupervisor(paths: Pick<Paths, 'programs'>): Promise<ProcessIdentity | undefined> {
  return live(await new ProgramRecords(paths.programs).read(SUPERVISOR));
}

/** SIGCONT: it is not to wait any longer where the server ended again and again. SIGHUP: see supervise.sh. */
export async function signalSupervisor(
  paths: Pick<Paths, 'programs'>,
  signal: 'SIGCONT' | 'SIGHUP',
): Promise<void> {
  const supervisor = await liveSupervisor(paths);
  if (supervisor) signalProcess(supervisor, signal);
}

/** Called by a process that is about to become the supervisor: its number and start time stay. */
export async function recordSupervisor(
  paths: Pick<Paths, 'programs'>,
  argv: readonly string[],
): Promise<void> {
  await new ProgramRecords(paths.programs).write(SUPERVISOR, { argv: [...argv], ...own(), bootId: bootId() });
}

/** Called by the server itself before it does anything, so that it is found though its supervisor may be killed. */
export async function recordServer(paths: Runtime): Promise<void> {
  await records(paths).write('server', { argv: process.argv, ...own(), bootId: bootId() });
}

function own(): ProcessIdentity {
  const identity = identifyProcess(process.pid);
  if (!identity) throw new TypeError('no entry of our own in /proc');
  return identity;
}

/** The server that lives, if one does. */
export async function liveServer(paths: Runtime): Promise<ProcessIdentity | undefined> {
  return live(await records(paths).read('server'));
}

function live(record: ProgramRecord | undefined): ProcessIdentity | undefined {
  return record && record.bootId === bootId() && isAlive(record) ? record : undefined;
}

/** Ends a server that nobody watches over; resolves when it is gone. */
export async function endServer(paths: Runtime): Promise<void> {
  const server = await liveServer(paths);
  if (!server) return;
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    signalProcess(server, signal);
    const limit = Date.now() + STOP_LIMIT;
    while (isAlive(server) && Date.now() < limit) await delay(20);
  }
  if (isAlive(server)) throw new Error(`process ${server.pid} does not end`);
}

/** True when whoever started this server process still watches over it. */
export function isSupervised(): boolean {
  return process.env.WALT_SUPERVISOR === String(process.ppid);
}

/** Says that this server serves: from now on, its end is no failure to start. */
export async function noteServing(paths: Pick<Paths, 'serving'>): Promise<void> {
  await writeFileAtomic(paths.serving, `${process.pid}\n`);
}

/** Of the last day, newest last; `now` in Unix milliseconds. */
export async function readCrashes(paths: Pick<Paths, 'crashes'>, now = Date.now()): Promise<Crash[]> {
  const text = (await readIfPresent(paths.crashes)) ?? '';
  return text.split('\n').flatMap((line) => {
    const [, at, status, lived, reason = ''] = /^(\d+) (\d+) (\d+) (.*)$/.exec(line) ?? [];
    const crash = { at: Number(at), status: Number(status), lived: Number(lived), reason };
    return crash.at >= now / 1000 - TOLD ? [crash] : [];
  });
}

/** How many files this process has open, connections included, and how many it may have (proc_pid_limits(5)). */
export function openFiles(): { open: number; limit: number } {
  return { open: readdirSync('/proc/self/fd').length, limit: openFilesLimit() };
}

function records({ runtime }: Runtime): ProgramRecords {
  return new ProgramRecords(runtime);
}
