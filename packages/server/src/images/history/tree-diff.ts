/**
 * What differs between two mounted images. Only what the layers that differ touch is looked at, so that the time grows with the
 * change. Names are bytes, kept as latin1 text: an image may hold names that are no UTF-8.
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, opendir, readlink } from 'node:fs/promises';
import { hasErrno, UserError } from '../../platform/index.ts';
import { bytesOf, rawOf, sameBytes, textOf, withoutSlashes } from '../../trees/index.ts';
import { Held, type HeldLimits } from '../layers/tar/index.ts';
import { readAttributes } from '../saves/index.ts';

export interface Compared {
  /** Latin1: one character per byte. */
  rawPath: string;
  facts: {
    kind: 'A' | 'M' | 'D';
    path: string;
    type: 'file' | 'folder' | 'link' | 'other';
    /** Bytes; null where it is no file. */
    before: number | null;
    after: number | null;
  };
}

interface Trees {
  before: string;
  after: string;
}

/** What the layers that differ hold, by name: a whiteout stands for what it hides. */
interface Touched {
  children: Map<string, Touched>;
}

/** Of what the layers hold, and of what differs. */
const LIMITS: HeldLimits = { entries: 500_000, names: 128 * 1024 ** 2, attributes: 0 };

/**
 * Sorted by path. `layers` are the folders of the layers that differ; `paths` are absolute, none stands for all. Throws UserError INVALID
 * for more than `limits`.
 */
export async function compareTrees(
  task: Trees & { layers: readonly string[]; paths: readonly string[] },
  limits = LIMITS,
): Promise<Compared[]> {
  const { before, after, layers } = task;
  const wanted = new Wanted(task.paths.map((path) => rawOf(withoutSlashes(path))));
  const touched: Touched = { children: new Map() };
  const held = new Held(limits, tooMuch);
  for (const folder of layers) await addEntries(touched, { root: rawOf(folder), folder: '', wanted, held });
  const walk = new Walk({ before: rawOf(before), after: rawOf(after) }, wanted, limits);
  await walk.folders('', touched);
  const found = await walk.conclude();
  return found.sort((a, b) => (a.rawPath < b.rawPath ? -1 : a.rawPath > b.rawPath ? 1 : 0));
}

async function addEntries(
  touched: Touched,
  place: { root: string; folder: string; wanted: Wanted; held: Held },
): Promise<void> {
  const { root, folder, wanted, held } = place;
  for await (const entry of await listOf(root + folder)) {
    const path = `${folder}/${entry.name}`;
    if (!wanted.isOnTheWay(path)) continue;
    let child = touched.children.get(entry.name);
    if (!child) {
      held.entry({ path: entry.name, target: '' });
      child = { children: new Map() };
      touched.children.set(entry.name, child);
    }
    if (entry.isDirectory()) await addEntries(child, { ...place, folder: path });
  }
}

/** Which paths are asked for. */
class Wanted {
  readonly #paths: readonly string[];

  /** None: all are. */
  constructor(paths: readonly string[]) {
    this.#paths = paths;
  }

  has(path: string): boolean {
    return (
      this.#paths.length === 0 ||
      this.#paths.some((wanted) => path === wanted || path.startsWith(`${wanted}/`))
    );
  }

  /** True when it is wanted, or something in it may be. */
  isOnTheWay(path: string): boolean {
    return this.has(path) || this.#paths.some((wanted) => wanted.startsWith(`${path}/`));
  }
}

class Walk {
  readonly #trees: Trees;
  readonly #wanted: Wanted;
  readonly #held: Held;
  readonly #most: number;
  readonly #found: Compared[] = [];
  /** Equal in all but extended attributes, which are read together. */
  readonly #equal: Compared[] = [];

  constructor(trees: Trees, wanted: Wanted, limits: HeldLimits) {
    this.#trees = trees;
    this.#wanted = wanted;
    this.#held = new Held(limits, tooMuch);
    this.#most = limits.entries;
  }

  /** Compares what is in a folder that both trees have. Names of which no layer tells are the same in both, if both have them. */
  async folders(path: string, touched: Touched): Promise<void> {
    const { before, after } = this.#trees;
    const [old, now] = await Promise.all([this.#namesIn(before + path), this.#namesIn(after + path)]);
    for (const name of old.union(now)) {
      const child = `${path}/${name}`;
      if (!this.#wanted.isOnTheWay(child)) continue;
      const below = touched.children.get(name);
      if (old.has(name) && now.has(name)) {
        if (below) await this.#both(child, below);
      } else await this.#one(child, old.has(name) ? 'D' : 'A');
    }
  }

  /** What was found, with what differs in extended attributes only. */
  async conclude(): Promise<Compared[]> {
    const { before, after } = this.#trees;
    const sides = ({ rawPath }: Compared) => [before + rawPath, after + rawPath] as const;
    const attributes = await readAttributes(this.#equal.flatMap(sides));
    const differ = this.#equal.filter((one) => {
      const [a, b] = sides(one).map((path) => visible(attributes.get(path)));
      return a !== b;
    });
    return [...this.#found, ...differ];
  }

  async #both(path: string, touched: Touched): Promise<void> {
    const { before, after } = this.#trees;
    const [old, now] = await Promise.all([statOf(before + path), statOf(after + path)]);
    if (!old || !now) return this.#one(path, old ? 'D' : 'A');
    const facts = { path: textOf(path), type: typeOf(now), before: sizeOf(old), after: sizeOf(now) };
    const change: Compared = { rawPath: path, facts: { kind: 'M', ...facts } };
    if (this.#wanted.has(path)) {
      this.#hold(change, (await this.#isSame(path, old, now)) ? this.#equal : this.#found);
    }
    if (old.isDirectory() && now.isDirectory()) await this.folders(path, touched);
    else if (old.isDirectory()) await this.#content(path, 'D');
    else if (now.isDirectory()) await this.#content(path, 'A');
  }

  async #isSame(path: string, old: Stats, now: Stats): Promise<boolean> {
    if (typeOf(old) !== typeOf(now) || old.mode !== now.mode || old.uid !== now.uid || old.gid !== now.gid)
      return false;
    const [a, b] = [this.#trees.before + path, this.#trees.after + path];
    if (old.isSymbolicLink()) return (await linkTarget(a)) === (await linkTarget(b));
    if (old.isFile()) return old.size === now.size && (await sameFiles(a, b));
    return old.isDirectory() || old.rdev === now.rdev;
  }

  async #one(path: string, kind: 'A' | 'D'): Promise<void> {
    const stats = await statOf(this.#side(kind) + path);
    if (!stats) return;
    const size = sizeOf(stats);
    if (this.#wanted.has(path)) {
      const [before, after] = kind === 'A' ? [null, size] : [size, null];
      const facts = { kind, path: textOf(path), type: typeOf(stats), before, after };
      this.#hold({ rawPath: path, facts }, this.#found);
    }
    if (stats.isDirectory()) await this.#content(path, kind);
  }

  async #content(path: string, kind: 'A' | 'D'): Promise<void> {
    for (const name of await this.#namesIn(this.#side(kind) + path)) {
      if (this.#wanted.isOnTheWay(`${path}/${name}`)) await this.#one(`${path}/${name}`, kind);
    }
  }

  #side(kind: 'A' | 'D'): string {
    return kind === 'A' ? this.#trees.after : this.#trees.before;
  }

  #hold(change: Compared, list: Compared[]): void {
    this.#held.entry({ path: change.rawPath, target: '' });
    list.push(change);
  }

  async #namesIn(rawFolder: string): Promise<Set<string>> {
    const names = new Set<string>();
    for await (const { name } of await listOf(rawFolder)) {
      if (names.size >= this.#most) throw tooMuch(`more than ${this.#most} files`);
      names.add(name);
    }
    return names;
  }
}

/** Opens a regular file of an image without following a link, which could lead out of it. */
export function openInTree(root: string, rawPath: string): Promise<FileHandle> {
  return openFile(rawOf(root) + rawPath);
}

function openFile(rawPath: string): Promise<FileHandle> {
  return open(bytesOf(rawPath), constants.O_RDONLY | constants.O_NOFOLLOW);
}

async function sameFiles(a: string, b: string): Promise<boolean> {
  await using one = await openFile(a);
  await using other = await openFile(b);
  return await sameBytes(one, other);
}

function listOf(rawFolder: string) {
  return opendir(bytesOf(rawFolder), { encoding: 'latin1', bufferSize: 512 });
}

function tooMuch(what: string): UserError {
  return new UserError(
    'INVALID',
    `The layers that differ, or what differs in them, are ${what}.`,
    'Ask for a part: walt image diff IMAGE /FOLDER',
  );
}

/** Undefined for a name that is listed and not there: a deletion that overlayfs does not hide (`phantoms.ts`). */
async function statOf(rawPath: string): Promise<Stats | undefined> {
  try {
    return await lstat(bytesOf(rawPath));
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function linkTarget(rawPath: string): Promise<string> {
  return readlink(bytesOf(rawPath), 'latin1');
}

/** Attributes without those that overlayfs keeps for itself. */
function visible(attributes: ReadonlyMap<string, string> | undefined): string {
  const own = [...(attributes ?? [])].filter(([name]) => !name.startsWith('trusted.overlay.'));
  return JSON.stringify(own.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function typeOf(stats: Stats): Compared['facts']['type'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'folder';
  return stats.isSymbolicLink() ? 'link' : 'other';
}

function sizeOf(stats: Stats): number | null {
  return stats.isFile() ? stats.size : null;
}
