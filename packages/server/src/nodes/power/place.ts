import { lstat, readFile } from 'node:fs/promises';
import { hasErrno } from '../../platform/index.ts';
import { powerFailure } from './source.ts';

/** Where sources of power are reached from. */
export interface Place {
  /** The server's address on walt-net, and the address of all machines there. */
  server: string;
  broadcast: string;
  /** A command line that runs with the host's network instead of walt-net's. */
  onHost(argv: readonly string[]): string[];
}

export function inNetwork(
  { onHost }: Place,
  network: 'host' | 'walt-net',
  argv: readonly string[],
): readonly string[] {
  return network === 'host' ? onHost(argv) : argv;
}

/** Bytes of a password file: more is something else. */
const MAX_SECRET = 1024;

/** The password in a file that only root can read, without the end of its line. Throws UserError. */
export async function readSecret(source: string, path: string): Promise<string> {
  let wrong: string | undefined;
  try {
    const { mode, size } = await lstat(path);
    if ((mode & 0o170_000) !== 0o100_000) wrong = 'is no file';
    else if ((mode & 0o077) !== 0) wrong = 'can be read by others';
    else if (size === 0 || size > MAX_SECRET) wrong = `is empty, or larger than ${MAX_SECRET} bytes`;
  } catch (error) {
    wrong = hasErrno(error, 'ENOENT') ? 'is missing' : `cannot be read: ${error}`;
  }
  if (wrong === undefined) return (await readFile(path, 'utf8')).replace(/\r?\n$/, '');
  throw powerFailure(
    source,
    `cannot be asked: its password file ${path} ${wrong}.`,
    `Write the password into it, then: chmod 600 ${path}`,
  );
}
