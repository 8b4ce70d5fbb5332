/** What users do in a tree that an overlay shows, as a container or a node has it. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '../../../test/platform.ts';
import { attempt, run } from '../../platform/index.ts';

/** A real overlay, made like a container's; `deeds` run in its merged view. */
export async function overlaid<T>(
  setUp: string,
  deeds: string,
  look: (folders: { lower: string; upper: string; merged: string }) => Promise<T>,
  mountOptions = 'redirect_dir=off,metacopy=off',
): Promise<T> {
  const folder = await temporaryFolder();
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => join(folder, name));
  if (!lower || !upper || !work || !merged) throw new TypeError();
  for (const path of [lower, upper, work, merged]) await mkdir(path);
  try {
    await run(['sh', '-euc', setUp], { cwd: lower });
    const options = `lowerdir=${lower},upperdir=${upper},workdir=${work},${mountOptions}`;
    await run(['mount', '-t', 'overlay', 'overlay', '-o', options, merged]);
    await run(['sh', '-euc', deeds], { cwd: merged });
    return await look({ lower, upper, merged });
  } finally {
    await attempt(['umount', merged]);
    await rm(folder, { recursive: true });
  }
}

export const SET_UP = `
  mkdir -p a/b c/d empty
  echo 1 > a/one; echo 2 > a/b/two; echo 3 > c/d/three; echo 4 > c/four
  ln -s one a/link
  cp /bin/true tool`;

/** Deeds below the tree of SET_UP, and what they change. */
export const DEEDS: [what: string, deeds: string, changes: string[]][] = [
  ['nothing', 'ls -R > /dev/null', []],
  ['a file opened for writing', ': >> a/one', []],
  ['made and deleted again', 'echo x > a/new; rm a/new; mkdir a/dir; rmdir a/dir', []],
  [
    'same size, same time, other bytes',
    'touch -r a/one /tmp/.$$; echo 9 > a/one; touch -r /tmp/.$$ a/one; rm /tmp/.$$',
    ['M a/one'],
  ],
  ['chmod to what it was', 'chmod 644 a/one', []],
  ['chmod', 'chmod 600 a/one', ['M a/one']],
  ['chmod of a folder', 'chmod 700 a/b', ['M a/b']],
  ['deleted', 'rm a/one; rm -r c', ['D a/one', 'D c']],
  ['deleted and made anew', 'rm -r c; mkdir c; echo 5 > c/five', ['M c', 'D c/d', 'A c/five', 'D c/four']],
  ['a folder in place of a file', 'rm a/one; mkdir a/one; echo 6 > a/one/six', ['M a/one', 'A a/one/six']],
  ['a file in place of a folder', 'rm -r c; echo 7 > c', ['M c']],
  [
    'a capability',
    'setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 tool',
    ['M tool'],
  ],
  ['an attribute of a folder', 'setfattr -n trusted.mark -v 1 empty', ['M empty']],
  ['a second link', 'ln a/one a/other', ['M a/one', 'A a/other']],
  ['a link turned', 'ln -sfn b/two a/link', ['M a/link']],
  ['moved', 'mv a/one c/moved', ['D a/one', 'A c/moved']],
  ['odd names', "touch 'a/ö\\ü' 'a/two\nlines' a/-rf", ['A a/-rf', 'A a/two\nlines', 'A a/ö\\ü']],
];
