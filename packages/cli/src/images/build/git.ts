/** Fetches one version of a git repository, with the user's own keys and settings. The one module that calls git. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { AbortError, hasCode } from '@walt/client/errors';
import { UsageError } from '../../errors.ts';

/** Refs and commits, as git-check-ref-format(1) allows them, and no option, refspec or revision expression. */
const REF = /^[A-Za-z0-9][A-Za-z0-9._/+-]{0,254}$/;

/** Throws UsageError for what git could take for something else. */
export function checkSource(url: string, ref: string | undefined): void {
  if (url === '' || /\p{Cc}/u.test(url) || url.startsWith('-')) {
    throw new UsageError(
      `${JSON.stringify(url)} is no URL of a git repository.`,
      'Give one that git clone takes.',
    );
  }
  if (ref !== undefined && !REF.test(ref)) {
    throw new UsageError(
      `${JSON.stringify(ref)} is no branch, tag or commit.`,
      'Give one after --ref, such as main, v1.2 or a commit.',
    );
  }
}

/** Fills the empty folder. Throws AbortError when the repository or the ref cannot be had. */
export async function fetchRepository(
  url: string,
  ref: string | undefined,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const git = (...words: string[]) => run(['-C', folder, ...words], url, ref, signal);
  await git('init', '--quiet');
  await git('fetch', '--quiet', '--depth', '1', '--no-tags', '--', url, ref ?? 'HEAD');
  await git('checkout', '--quiet', '--detach', 'FETCH_HEAD');
  if (!(await isFile(join(folder, '.gitmodules')))) return;
  // As Docker does. Which transports they may use is for git's own settings to say (git(1), GIT_ALLOW_PROTOCOL).
  await git('submodule', '--quiet', 'update', '--init', '--recursive', '--depth', '1');
}

/** Docker's way to name a version and a folder of a repository: `URL#REF:FOLDER`, either of which may be missing. */
export function splitUrl(text: string): { url: string; ref: string | undefined; subDir: string | undefined } {
  const [url = '', ...fragment] = text.split('#');
  const [ref = '', ...subDir] = fragment.join('#').split(':');
  return { url, ref: ref || undefined, subDir: subDir.join(':') || undefined };
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isFile();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

async function run(
  words: readonly string[],
  url: string,
  ref: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  // git asks for passwords on the terminal itself, and tells there what goes wrong.
  const child = spawn('git', words, { stdio: ['inherit', 'ignore', 'inherit'], signal });
  let status: number | null;
  try {
    [status] = (await once(child, 'close')) as [number | null];
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw new AbortError(
      'UNAVAILABLE',
      `git cannot be run: ${error instanceof Error ? error.message : error}.`,
      'Install git, or fetch the sources yourself and use --from-dir.',
    );
  }
  if (status === 0) return;
  throw new AbortError(
    'UNAVAILABLE',
    `git could not fetch ${words.includes('submodule') ? 'the submodules of ' : ref === undefined ? '' : `${ref} of `}${url}.`,
    hintFor(words, ref),
  );
}

function hintFor(words: readonly string[], ref: string | undefined): string {
  if (words.includes('submodule')) return 'What git said stands above. Check the addresses in .gitmodules.';
  if (ref !== undefined && /^[0-9a-f]{4,39}$/.test(ref)) {
    return 'A commit must be given with all its 40 digits: git serves no other. A branch or a tag is fine, too.';
  }
  return 'What git said stands above. See which branches and tags there are: git ls-remote URL';
}
