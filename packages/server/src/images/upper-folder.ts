/** Reads the upper folder of a container for `judge`, and takes out of it what holds no change. */
import { type BigIntStats, createReadStream } from 'node:fs';
import { lstat, readdir, readlink, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { hasErrno } from '../platform/index.ts';
import { readAttributes } from './attributes.ts';
import { type Entry, type Facts, judge, leftByInit, type Verdict } from './changes.ts';

/** What the user changed. `lower` is the image's mounted tree; `init`: its init has run. Reads only; the container may run. */
export async function inspectChanges(upper: string, lower: string, { init = false } = {}): Promise<Verdict> {
  const entries = await readFolder(upper, lower, '');
  const all = [...flatten(entries)];
  await addAttributes(upper, lower, all);
  for (const entry of all) await compareContent(upper, lower, entry);
  return judge(entries, init ? leftByInit : undefined);
}

/** Removes residue from the upper folder. The container must be stopped. Safe to repeat. */
export async function removeResidue(upper: string, residue: readonly string[]): Promise<void> {
  for (const path of residue) {
    const full = join(upper, path);
    try {
      if ((await lstat(full)).isDirectory()) await rmdir(full);
      else await unlink(full);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
  }
}

async function readFolder(upper: string, lower: string, folder: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const name of await readdir(join(upper, folder))) {
    const path = `${folder}/${name}`;
    const own = await readFacts(join(upper, path));
    // Ended while we read, or a name that is no UTF-8: such a one is the user's, for sure.
    if (!own) {
      if (name.includes('\uFFFD')) entries.push({ path, upper: UNREADABLE, children: [] });
      continue;
    }
    const below = await readFacts(join(lower, path));
    const isFolder = own.type === 'folder';
    entries.push({
      path,
      upper: own,
      ...(below && { lower: below }),
      children: isFolder ? await readFolder(upper, lower, path) : [],
      ...(isFolder && below?.type === 'folder' && { lowerNames: await readdir(join(lower, path)) }),
    });
  }
  return entries;
}

async function readFacts(path: string): Promise<Facts | undefined> {
  try {
    const stats = await lstat(path, { bigint: true });
    return {
      type: typeOf(stats),
      mode: Number(stats.mode & 0o7777n),
      uid: Number(stats.uid),
      gid: Number(stats.gid),
      size: Number(stats.size),
      mtime: stats.mtimeNs,
      links: Number(stats.nlink),
      device: Number(stats.rdev),
      ...(stats.isSymbolicLink() && { target: await readlink(path) }),
      attributes: new Map(),
    };
  } catch (error) {
    // ENOTDIR: the image has a file where the user made a folder.
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

function typeOf(stats: BigIntStats): Facts['type'] {
  if (stats.isDirectory()) return 'folder';
  if (stats.isFile()) return 'file';
  if (stats.isSymbolicLink()) return 'link';
  return stats.isCharacterDevice() && stats.rdev === 0n ? 'whiteout' : 'other';
}

/** A file whose name Node cannot pass on. */
const UNREADABLE: Facts = {
  ...{ type: 'file', mode: 0, uid: 0, gid: 0, size: 1, mtime: 0n, links: 1, device: 0 },
  attributes: new Map(),
};

function* flatten(entries: readonly Entry[]): Generator<Entry> {
  for (const entry of entries) {
    yield entry;
    yield* flatten(entry.children);
  }
}

/** Attributes matter only where both sides are there: all else is a change anyway. */
async function addAttributes(upper: string, lower: string, entries: readonly Entry[]): Promise<void> {
  const both = entries.filter((entry) => entry.lower && entry.upper.type !== 'whiteout');
  const folders = entries.filter((entry) => !entry.lower && entry.upper.type === 'folder');
  const paths = [
    ...both.flatMap(({ path }) => [join(upper, path), join(lower, path)]),
    ...folders.map(({ path }) => join(upper, path)),
  ];
  const found = await readAttributes(paths);
  for (const entry of [...both, ...folders]) {
    entry.upper = withAttributes(entry.upper, found.get(join(upper, entry.path)));
    if (entry.lower) entry.lower = withAttributes(entry.lower, found.get(join(lower, entry.path)));
  }
}

function withAttributes(facts: Facts, attributes: ReadonlyMap<string, string> | undefined): Facts {
  return attributes ? { ...facts, attributes } : facts;
}

/** Reads two files only if nothing else tells them apart. */
async function compareContent(upper: string, lower: string, entry: Entry): Promise<void> {
  const { path, upper: own, lower: below } = entry;
  if (own.type !== 'file' || below?.type !== 'file') return;
  if (own.size !== below.size || own.mtime !== below.mtime) return;
  entry.sameContent = await sameBytes(join(upper, path), join(lower, path));
}

async function sameBytes(a: string, b: string): Promise<boolean> {
  // Both streams cut their files into chunks of the same size.
  const other = createReadStream(b)[Symbol.asyncIterator]();
  try {
    for await (const chunk of createReadStream(a)) {
      const { value } = await other.next();
      if (!Buffer.isBuffer(value) || !value.equals(chunk)) return false;
    }
    return (await other.next()).done === true;
  } finally {
    await other.return?.();
  }
}
