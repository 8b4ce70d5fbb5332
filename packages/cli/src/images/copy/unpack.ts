/**
 * Writes a tar from the server into local folders. The archive is not trusted: images come from other users. It is unpacked in a new
 * folder that nobody else can open, where no link leads anywhere, and what is fit to stay is moved to its place from there. Nothing
 * leaves the destination, no symbolic link below it is followed, no device is made, and no program gets set-user-ID here.
 */
import { rmSync, type Stats } from 'node:fs';
import { chmod, lstat, mkdir, mkdtemp, readdir, rename, rm, unlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AbortError, hasCode } from '@walt/client/errors';
import type { Landing } from './destination.ts';
import { startTar } from './local-tar.ts';

export interface UnpackOptions {
  landing: Landing;
  /** True: the archive has one entry at its top, which is what lands; else that is all that is in it. */
  wrapped: boolean;
  /** Whether folders that are here already get the mode that the archive tells. */
  existing: 'keep' | 'change';
  onBytes: (done: number) => void;
  onSkipped: (path: string) => void;
}

/** Resolves when all is written. Throws AbortError when the archive breaks off, or a file stands where a folder must be. */
export async function unpack(
  tar: Readable,
  { landing, wrapped, existing, onBytes, onSkipped }: UnpackOptions,
): Promise<void> {
  const fresh = await mkdtemp(join(landing.folder, '.walt-cp-'));
  using _ = onSignals(() => rmSync(fresh, { recursive: true, force: true }));
  try {
    // One more folder: the archive may tell the mode of what it is unpacked in.
    const inner = join(fresh, 'files');
    await mkdir(inner);
    await extract(tar, inner, onBytes);
    const [top, ...others] = wrapped ? await namesIn(Buffer.from(inner)) : [];
    if (wrapped && (top === undefined || others.length > 0)) throw damaged();
    const unpacked = top ? joined(Buffer.from(inner), top) : Buffer.from(inner);
    await tame(unpacked, unpacked.length + 1, onSkipped);
    const folder = Buffer.from(landing.folder);
    if (landing.name === undefined) await moveContent(unpacked, folder, existing);
    else await move(unpacked, joined(folder, Buffer.from(landing.name)), existing);
  } finally {
    tar.destroy();
    await remove(fresh);
  }
}

async function extract(tar: Readable, folder: string, onBytes: (done: number) => void): Promise<void> {
  const local = startTar([
    ...['--extract', '--file=-', '--directory', folder, '--numeric-owner', '--preserve-permissions'],
  ]);
  let done = 0;
  let failure: unknown;
  const counted = async function* () {
    try {
      for await (const chunk of tar as AsyncIterable<Buffer>) {
        done += chunk.length;
        onBytes(done);
        yield chunk;
      }
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  // tar stops reading where the archive ends: that it closed the pipe says nothing.
  await pipeline(counted, local.stdin).catch(() => {
    if (failure !== undefined) local.kill();
  });
  if (failure !== undefined) {
    await local.ended.catch(() => {});
    throw readableError(failure);
  }
  await local.ended;
}

/**
 * Removes what is neither file, folder nor link, and set-user-ID and set-group-ID from all else. `shown`: bytes of the path before
 * those that the user knows.
 */
async function tame(path: Buffer, shown: number, onSkipped: (path: string) => void): Promise<void> {
  const info = await lstat(path);
  if (info.isSymbolicLink()) return;
  if (info.isFile()) {
    if ((info.mode & 0o6000) !== 0) await chmod(path, info.mode & 0o1777);
  } else if (info.isDirectory()) {
    await openFolder(path, info);
    let removed = false;
    for (const name of await namesIn(path)) {
      await tame(joined(path, name), shown, onSkipped);
      removed ||= (await lstat(joined(path, name)).catch(absent)) === undefined;
    }
    if (removed) await utimes(path, info.atime, info.mtime);
    if ((info.mode & 0o6000) !== 0 || !isOpen(info)) await chmod(path, info.mode & 0o1777);
  } else {
    await unlink(path);
    onSkipped(path.subarray(shown).toString('utf8') || 'what was asked for');
  }
}

/** To a place that is free, or takes it: a file replaces a file or link, the content of a folder goes into a folder. */
async function move(from: Buffer, to: Buffer, existing: 'keep' | 'change'): Promise<void> {
  const [info, there] = await Promise.all([lstat(from).catch(absent), lstat(to).catch(absent)]);
  if (!info) return;
  if (!info.isDirectory()) {
    if (there?.isDirectory()) throw folderInTheWay(to);
    await rename(from, to);
  } else if (there === undefined) {
    // Its entry for its parent changes: for that it must be open to who is not root.
    await openFolder(from, info);
    await rename(from, to);
    if (!isOpen(info)) await chmod(to, info.mode & 0o7777);
  } else if (there.isDirectory()) {
    await moveContent(from, to, existing);
    if (existing === 'change' && there.mode !== info.mode) await chmod(to, info.mode & 0o1777);
  } else throw fileInTheWay(to);
}

async function moveContent(from: Buffer, to: Buffer, existing: 'keep' | 'change'): Promise<void> {
  const info = await lstat(from).catch(absent);
  if (!info) return;
  if (!info.isDirectory()) throw folderInTheWay(to);
  await openFolder(from, info);
  for (const name of await namesIn(from)) await move(joined(from, name), joined(to, name), existing);
}

/** What is left of a copy that failed. Folders may be closed even to who made them. */
async function remove(folder: string): Promise<void> {
  const open = async (path: Buffer): Promise<void> => {
    await chmod(path, 0o700);
    for (const entry of await readdir(path, { encoding: 'buffer', withFileTypes: true })) {
      if (entry.isDirectory()) await open(joined(path, entry.name));
    }
  };
  await open(Buffer.from(folder));
  await rm(folder, { recursive: true, force: true });
}

async function openFolder(path: Buffer, info: Stats): Promise<void> {
  if (!isOpen(info)) await chmod(path, (info.mode & 0o7777) | 0o700);
}

function isOpen({ mode }: Stats): boolean {
  return (mode & 0o700) === 0o700;
}

function namesIn(folder: Buffer): Promise<Buffer[]> {
  return readdir(folder, { encoding: 'buffer' });
}

function absent(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT')) throw error;
}

/** Names are bytes: not each is UTF-8. */
function joined(folder: Buffer, name: Buffer): Buffer {
  return Buffer.concat([folder, Buffer.from('/'), name]);
}

function onSignals(clean: () => void): Disposable {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const end = (signal: NodeJS.Signals) => {
    clean();
    dispose();
    process.kill(process.pid, signal);
  };
  const dispose = () => {
    for (const signal of signals) process.off(signal, end);
  };
  for (const signal of signals) process.on(signal, end);
  return { [Symbol.dispose]: dispose };
}

/** A response that ends early, or an archive cut in the middle, is one thing to the user. */
function readableError(error: unknown): unknown {
  if (!hasCode(error, 'ECONNRESET')) return error;
  return new AbortError('UNAVAILABLE', 'The copy broke off: the server sent no more.', 'Repeat the command.');
}

function damaged(): AbortError {
  return new AbortError('EXTERNAL', 'The server sent a damaged archive.', 'Repeat the command.');
}

function folderInTheWay(path: Buffer): AbortError {
  return new AbortError(
    'CONFLICT',
    `${path.toString('utf8')} is a folder, and a file of that name was to be copied.`,
    'Move it, or copy to another place.',
  );
}

function fileInTheWay(path: Buffer): AbortError {
  return new AbortError(
    'CONFLICT',
    `${path.toString('utf8')} is in the way: a folder must be there.`,
    'Move it, or copy to another place.',
  );
}
