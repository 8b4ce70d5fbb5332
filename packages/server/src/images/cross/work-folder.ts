/** The copy of a user's folder in which a build runs: what it looks like before and after. */
import type { Readable } from 'node:stream';
import { streamProgram, UserError } from '../../platform/index.ts';
import { bytesOf, CONFINED_TREE, confined, Folder } from '../../trees/index.ts';

/** Paths relative to the folder, as bytes in Latin-1: names need not be UTF-8. Each with what changes when the entry does. */
export type Snapshot = ReadonlyMap<string, { state: string; isFolder: boolean }>;

/** Folders in each other, and entries in all: far more than sources have. */
const MAX_DEPTH = 200;
const MAX_ENTRIES = 1_000_000;
/** Bytes of a path: tar takes what the kernel does, with something in front. */
const MAX_PATH = 4000;

/** What a tar can carry. Throws UserError INVALID when it is too much. */
export async function takeSnapshot(folder: string): Promise<Snapshot> {
  const found = new Map<string, { state: string; isFolder: boolean }>();
  await using top = await Folder.open(folder);
  await visit(top, '', 0, found);
  return found;
}

async function visit(
  folder: Folder,
  inside: string,
  depth: number,
  found: Map<string, { state: string; isFolder: boolean }>,
): Promise<void> {
  if (depth > MAX_DEPTH) throw tooMuch(`has more than ${MAX_DEPTH} folders in each other`);
  for (const name of await folder.names(MAX_ENTRIES)) {
    const stats = await folder.stat(name);
    const isFolder = stats?.isDirectory() ?? false;
    if (!stats || !(isFolder || stats.isFile() || stats.isSymbolicLink() || stats.isFIFO())) continue;
    if (found.size >= MAX_ENTRIES) throw tooMuch(`has more than ${MAX_ENTRIES} files`);
    if (inside.length + name.length > MAX_PATH) throw tooMuch(`has a path of more than ${MAX_PATH} bytes`);
    // A file's change time cannot be set back; a folder's tells of what is in it, which is compared itself.
    const { mode, ino, ctimeNs } = stats;
    found.set(`${inside}${name}`, { isFolder, state: isFolder ? `${mode}` : `${mode} ${ino} ${ctimeNs}` });
    if (!isFolder) continue;
    await using sub = await folder.folder(name);
    if (sub) await visit(sub, `${inside}${name}/`, depth + 1, found);
  }
}

function tooMuch(what: string): UserError {
  return new UserError(
    'INVALID',
    `The folder of the build ${what}.`,
    'Build in a folder that has its sources only.',
  );
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
  const argv = ['tar', '--create', '--numeric-owner', '--no-recursion', '--directory', CONFINED_TREE];
  argv.push('--null', '--verbatim-files-from', '--files-from=-');
  // The folder itself comes first: to the receiver, it is what all others lie in.
  const names = ['.', ...paths.map((path) => `./${path}`)];
  const list = bytesOf(names.map((name) => `${name}\0`).join(''));
  return streamProgram(confined(folder, argv), { stdin: list }).stdout;
}
