/** One at a time, of all that a user runs on this machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { hasCode } from '../errors.ts';

/**
 * Runs `work` when nobody else does so with that file. The lock is held by flock(1), which ends with us, however we end. Without
 * flock on this machine there is no lock.
 */
export async function whileLocked<T>(file: string, work: () => Promise<T>): Promise<T> {
  const holder = spawn('flock', [file, 'sh', '-c', 'echo && exec cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  holder.stdin.on('error', () => {});
  const ended = once(holder, 'exit').catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error;
  });
  await Promise.race([once(holder.stdout, 'data'), ended]);
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
