/** GNU tar, the one module that calls it for what lies in images: it keeps nanoseconds, attributes, access lists and any name. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { ExternalError } from '../../platform/index.ts';

const PROGRAM = ['setpriv', '--pdeathsig', 'KILL', '--', 'tar'] as const;

/**
 * Access lists travel as the attributes that they are (`system.posix_acl_access`): nothing else that unpacks layers knows tar's
 * own form. What overlayfs notes for itself says nothing about the tree that it shows.
 */
const OPTIONS = [
  ...['--create', '--file=-', '--format=pax', '--pax-option=delete=atime,delete=ctime'],
  ...[
    '--sort=name',
    '--numeric-owner',
    '--xattrs',
    '--xattrs-include=*',
    '--xattrs-exclude=trusted.overlay.*',
  ],
  '--warning=no-file-ignored',
];

/** Words of tar's complaints that are kept. */
const MAX_COMPLAINT = 4096;

export interface ArchiveOptions {
  /** Below `folder`; a folder stands for all that is in it. */
  names: readonly Buffer[];
  /** False: a folder stands for itself only. */
  recursive?: boolean;
  /** Replaces the name `.` of the folder itself; letters only. */
  rootName?: string;
  signal?: AbortSignal | undefined;
}

/** A tar of files in a folder that does not change meanwhile. Sockets are left out. Throws ExternalError when it cannot be read. */
export async function* archive(
  folder: string,
  { names, recursive = true, rootName, signal }: ArchiveOptions,
): AsyncGenerator<Buffer> {
  const [file, ...words] = PROGRAM;
  // Names in the archive and targets of hard links, not those of symbolic links.
  const transform = rootName === undefined ? [] : [`--transform=flags=rhS;s,^\\.\\(/\\|$\\),${rootName}\\1,`];
  const options = [...OPTIONS, ...transform, ...(recursive ? [] : ['--no-recursion'])];
  const list = ['--null', '--verbatim-files-from', '--files-from=-'];
  const args = [...words, ...options, '--directory', folder, ...list];
  const child = spawn(file, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
    ...(signal && { signal }),
  });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint = (complaint + chunk.toString('utf8')).slice(-MAX_COMPLAINT);
  });
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = error;
  });
  const closed = once(child, 'close').catch(() => [null]);
  // Should it end early, its status tells why.
  child.stdin.on('error', () => {});
  child.stdin.end(Buffer.concat(names.flatMap((name) => [name, Buffer.of(0)])));
  let whole = false;
  try {
    for await (const chunk of child.stdout as AsyncIterable<Buffer>) yield chunk;
    whole = true;
  } finally {
    if (!whole) child.kill('SIGKILL');
    await closed;
  }
  signal?.throwIfAborted();
  if (failure) throw new ExternalError(['tar', ...args], null, failure.message);
  if (child.exitCode !== 0) throw new ExternalError(['tar', ...args], child.exitCode, complaint);
}
