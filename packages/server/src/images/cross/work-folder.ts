/** The copy of a user's folder in which a build runs: what it looks like before and after. */
import { type ChildProcess, spawn } from 'node:child_process';
import { lstat, readdir } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { ExternalError } from '../../platform/index.ts';

/** Paths relative to the folder, as bytes in Latin-1: names need not be UTF-8. Each with what changes when the entry does. */
export type Snapshot = ReadonlyMap<string, { state: string; isFolder: boolean }>;

/** What a tar can carry. */
export async function takeSnapshot(folder: string): Promise<Snapshot> {
  const found = new Map<string, { state: string; isFolder: boolean }>();
  await visit(Buffer.from(folder), '', found);
  return found;
}

async function visit(
  folder: Buffer,
  inside: string,
  found: Map<string, { state: string; isFolder: boolean }>,
): Promise<void> {
  for (const name of await readdir(folder, { encoding: 'buffer' })) {
    const full = Buffer.concat([folder, Buffer.from('/'), name]);
    const path = `${inside}${name.toString('latin1')}`;
    const stats = await lstat(full, { bigint: true });
    const isFolder = stats.isDirectory();
    if (!isFolder && !stats.isFile() && !stats.isSymbolicLink() && !stats.isFIFO()) continue;
    // A file's change time cannot be set back; a folder's tells of what is in it, which is compared itself.
    const { mode, ino, ctimeNs } = stats;
    found.set(path, { isFolder, state: isFolder ? `${mode}` : `${mode} ${ino} ${ctimeNs}` });
    if (isFolder) await visit(full, `${path}/`, found);
  }
}

/** Pure. `changed`: new or different, folders before what is in them; `deleted`: children before their folders. */
export function compareSnapshots(
  before: Snapshot,
  after: Snapshot,
): { changed: string[]; deleted: string[] } {
  const changed = [...after].filter(([path, { state }]) => before.get(path)?.state !== state);
  const deleted = [...before.keys()].filter((path) => {
    const now = after.get(path);
    return now === undefined || now.isFolder !== before.get(path)?.isFolder;
  });
  return { changed: changed.map(([path]) => path).sort(), deleted: deleted.sort().reverse() };
}

/** Tar of these entries, links not followed. Fails when one cannot be read. */
export function packEntries(folder: string, paths: readonly string[]): Readable {
  // Options that stand for what follows them come before --files-from.
  const argv = ['--create', '--numeric-owner', '--no-recursion', '--directory', folder];
  argv.push('--null', '--verbatim-files-from', '--files-from=-');
  const child = spawn('tar', argv, { stdio: ['pipe', 'pipe', 'pipe'] });
  // The folder itself comes first: to the receiver, it is what all others lie in.
  const names = ['.', ...paths.map((path) => `./${path}`)];
  child.stdin.on('error', () => {});
  child.stdin.end(Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1'));
  return Readable.from(outputOf(child, argv));
}

async function* outputOf(child: ChildProcess, argv: string[]): AsyncGenerator<Buffer> {
  let message = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    message += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve);
    child.once('error', reject);
  });
  ended.catch(() => {});
  try {
    for await (const chunk of child.stdout ?? []) yield chunk as Buffer;
    const status = await ended;
    if (status !== 0) throw new ExternalError(['tar', ...argv], status, message);
  } finally {
    child.kill('SIGKILL');
  }
}
