/** Locks between processes, as files. Alone knows flock(1). */
import { ExternalError } from '../errors.ts';
import { streamProgram } from './stream-program.ts';

/**
 * Calls `act` while this process holds a lock file (flock(2)) against other processes; `onWait` when it has to wait for it.
 * The lock belongs to a child that ends with its standard input: a killed server holds nothing.
 */
export async function withFileLock<T>(
  file: string,
  signal: AbortSignal,
  onWait: () => void,
  act: () => Promise<T>,
): Promise<T> {
  let holder = await takeFileLock(file, signal, '--nonblock');
  if (!holder) {
    onWait();
    holder = await takeFileLock(file, signal, '--wait=86400');
  }
  if (!holder) throw new ExternalError(['flock', file], 1, 'somebody has held it for a day');
  try {
    return await act();
  } finally {
    await holder.release();
  }
}

/** Calls `act` if nobody holds the lock file just now; false when somebody does. */
export async function withFreeFileLock(file: string, act: () => Promise<void>): Promise<boolean> {
  const holder = await takeFileLock(file, AbortSignal.timeout(10_000), '--nonblock');
  if (!holder) return false;
  try {
    await act();
    return true;
  } finally {
    await holder.release();
  }
}

/** Undefined when somebody else has the lock. */
async function takeFileLock(
  file: string,
  signal: AbortSignal,
  option: string,
): Promise<{ release(): Promise<void> } | undefined> {
  const argv = ['flock', '--exclusive', option, '--no-fork', file, 'sh', '-c', 'echo held; exec cat'];
  const { stdin, stdout, ended, complaint } = streamProgram(argv, { stdin: 'pipe', signal, accept: 'any' });
  const held = new Promise<'held'>((resolve) => stdout.once('data', () => resolve('held')));
  const outcome = await Promise.race([held, ended]);
  if (outcome !== 'held') {
    if (outcome === 1 && complaint() === '') return undefined;
    throw new ExternalError(argv, outcome, complaint());
  }
  return {
    async release() {
      stdin.end();
      // Aborted while it was held: that is for who held it to notice.
      await ended.catch(() => {});
    },
  };
}
