/** Starts OpenSSH's programs. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { hasCode } from '@walt/client/errors';
import { missingOpenSsh } from './key.ts';

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs `ssh` or `scp` on the user's terminal; answers its exit status, 128 + signal if one ended it (as shells do). */
export async function runOnTerminal(program: 'ssh' | 'scp', args: readonly string[]): Promise<number> {
  const child = spawn(program, args, { stdio: 'inherit' });
  // On a terminal ctrl-c reaches ssh by itself; walt stays to tell how it ended.
  const forward = (signal: NodeJS.Signals) => {
    if (!(signal === 'SIGINT' && process.stdin.isTTY)) child.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  try {
    return await exitStatus(child, program);
  } finally {
    for (const signal of FORWARDED) process.off(signal, forward);
  }
}

export function start(program: 'ssh', args: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn(program, args, options);
}

/** Throws AbortError when there is no such program. */
export function exitStatus(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(hasCode(error, 'ENOENT') ? missingOpenSsh(program) : error));
    child.on('close', (status, signal) => {
      resolve(status ?? 128 + (signal === null ? 0 : (constants.signals[signal] ?? 0)));
    });
  });
}
