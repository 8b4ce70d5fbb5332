/** The folder in which users prove who they are: everybody may write there, so it is a small file system of its own. */
import { mkdir, readFile } from 'node:fs/promises';
import { run } from '../platform/index.ts';

/** Bytes of a file of one proof: what the kernel takes for it at least. */
const PAGE = 4096;

/**
 * Mounts it anew, empty: `files` is how many may lie in it. Sticky: nobody renames or removes another's file. Not readable: names of
 * files stay between server and caller. What is on another file system cannot be brought in by a link or a rename either.
 */
export async function mountSignInFolder(path: string, files: number): Promise<void> {
  await unmountSignInFolder(path);
  await mkdir(path, { recursive: true });
  const limits = `size=${files * PAGE},nr_inodes=${files}`;
  const options = `${limits},mode=1733,nosuid,nodev,noexec`;
  await run(['mount', '-t', 'tmpfs', '-o', options, 'walt-sign-in', path]);
}

/** Idempotent. A file that somebody holds open there does not keep it. */
export async function unmountSignInFolder(path: string): Promise<void> {
  while (await isMounted(path)) await run(['umount', '--lazy', '--', path]);
}

async function isMounted(path: string): Promise<boolean> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  // proc(5): blanks and the like are written as octal numbers.
  return mounts.split('\n').some((line) => line.split(' ')[4] === path.replaceAll(' ', '\\040'));
}
