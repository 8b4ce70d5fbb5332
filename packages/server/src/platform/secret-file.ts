import { lstat, readFile } from 'node:fs/promises';
import { hasErrno } from './errors.ts';

/** Bytes of a password file: more is something else. */
const MAX_SECRET = 1024;

/** The password in a file that only root can read, without the end of its line; or what is wrong with the file. */
export async function readSecretFile(path: string): Promise<{ secret: string } | { wrong: string }> {
  try {
    const { mode, size } = await lstat(path);
    if ((mode & 0o170_000) !== 0o100_000) return { wrong: 'is no file' };
    if ((mode & 0o077) !== 0) return { wrong: 'can be read by others' };
    if (size === 0 || size > MAX_SECRET) return { wrong: `is empty, or larger than ${MAX_SECRET} bytes` };
    return { secret: (await readFile(path, 'utf8')).replace(/\r?\n$/, '') };
  } catch (error) {
    return { wrong: hasErrno(error, 'ENOENT') ? 'is missing' : `cannot be read: ${error}` };
  }
}
