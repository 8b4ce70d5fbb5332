/** Starts tar(1) of this machine: it keeps parts of seconds, large owners and names that are no UTF-8. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { AbortError, hasCode } from '@walt/client/errors';

export interface LocalTar {
  stdin: Writable;
  stdout: Readable;
  /** Resolves with its complaints, without `tar: `, once it has ended well. Throws AbortError when it failed. */
  ended: Promise<string[]>;
  kill(): void;
}

/** Bytes of complaints that are kept: each unreadable file makes one. */
const MAX_COMPLAINT = 65_536;

export function startTar(args: readonly string[]): LocalTar {
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn('tar', args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C', TAR_OPTIONS: '' },
  });
  // It stops reading where the archive ends, and its status tells the rest.
  child.stdin.on('error', () => {});
  const ended = watch(child);
  // Whoever is interested handles its failure.
  ended.catch(() => {});
  return { stdin: child.stdin, stdout: child.stdout, ended, kill: () => child.kill('SIGKILL') };
}

async function watch(child: ChildProcessByStdio<Writable, Readable, Readable>): Promise<string[]> {
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(0, MAX_COMPLAINT);
  });
  const failed = once(child, 'error').then(([error]) => {
    if (!hasCode(error, 'ENOENT')) throw error;
    throw new AbortError('UNAVAILABLE', 'There is no program tar on this machine.', 'Install it.');
  });
  failed.catch(() => {});
  const [status] = (await Promise.race([once(child, 'close'), failed])) as [number | null];
  const complaints = text
    .split('\n')
    .filter((line) => line !== '' && !/Exiting with failure status|Error is not recoverable/.test(line))
    .map((line) => line.replace(/^tar: /, ''));
  if (status === 0) return complaints;
  const [first = `it ended with status ${status}`] = complaints;
  throw new AbortError(
    'EXTERNAL',
    `tar could not copy all: ${first}`,
    'Nothing of it was kept. Mend that, then repeat.',
  );
}
