import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { ExternalError } from '../errors.ts';
import { identifyProcess, type ProcessIdentity } from './process.ts';

/** Waits for one line, then becomes the program: its number and start time stay the same over `exec`. */
const GATE = 'read -r go && exec "$@" </dev/null';

/** A program that is there (it has an identity) but does nothing until it is released. */
export interface Launched {
  child: ChildProcess;
  identity: ProcessIdentity;
  release(): void;
}

/**
 * Makes a process in a session of its own, output appended to `logFile`, held at a gate before the program proper.
 *
 * The gate closes the gap between starting a program and recording it: when the caller is killed before `release`, the
 * gate reads end-of-file and the process ends without ever having been the program. So there are no unrecorded orphans.
 */
export async function launch(
  argv: readonly string[],
  options: { logFile: string; env?: Record<string, string> | undefined },
): Promise<Launched> {
  const log = openSync(options.logFile, 'a', 0o640);
  let child: ChildProcess;
  try {
    child = spawn('/bin/sh', ['-c', GATE, 'sh', ...argv], {
      detached: true,
      env: { ...process.env, ...options.env },
      stdio: ['pipe', log, log],
    });
  } finally {
    closeSync(log);
  }
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(new ExternalError(argv, null, error.message)));
  });
  const identity = child.pid === undefined ? undefined : identifyProcess(child.pid);
  if (identity === undefined) throw new ExternalError(argv, null, 'it was killed while it started');
  // Should it be killed at the gate, its exit event tells; the broken pipe tells nothing more.
  child.stdin?.on('error', () => {});
  return { child, identity, release: () => child.stdin?.end('go\n') };
}
