/** Reads the upper folder of a container for `judge`. The container may run: its folders are walked as open ones. */
import type { BigIntStats } from 'node:fs';
import { UserError } from '../../platform/index.ts';
import { Folder, rawOf, sameBytes, type Tree, withTree } from '../../trees/index.ts';
import { MAX_DEPTH } from '../layers/index.ts';
import { Held, type HeldLimits } from '../layers/tar/index.ts';
import { readAttributes, readLiveAttributes } from './attributes.ts';
import { type Entry, type Facts, judge, leftByInit, type Verdict } from './changes.ts';

/** Names of the image's folders in which something was changed are among them. */
const LIMITS: HeldLimits = { entries: 500_000, names: 128 * 1024 ** 2, attributes: 0 };

/**
 * What the user changed. `lower` is the image's mounted tree; `init`: its init has run; `live`: the container runs. Reads only. Throws
 * UserError INVALID for more than `limits`.
 */
export function inspectChanges(
  upper: string,
  lower: string,
  { init = false, live = false, limits = LIMITS } = {},
): Promise<Verdict> {
  return withTree(upper, (above) =>
    withTree(lower, async (below) => {
      const root = await new Reading(limits).root(upper, lower);
      const all = [...flatten([root])];
      await addAttributes({ upper, lower, live }, all);
      for (const entry of all) await compareContent(above, below, entry);
      return judge([root], init ? leftByInit : undefined);
    }),
  );
}

/** Reads what is in the folders, within bounds: all of it is held in memory. */
class Reading {
  readonly #held: Held;
  readonly #most: number;

  constructor(limits: HeldLimits) {
    this.#held = new Held(limits, tooMuch);
    this.#most = limits.entries;
  }

  async root(upper: string, lower: string): Promise<Entry> {
    await using above = await Folder.open(upper);
    await using below = await Folder.open(lower);
    const facts = { upper: factsOf(await above.stats()), lower: factsOf(await below.stats()) };
    return { path: '', ...facts, ...(await this.#folder(above, below, '', 0)) };
  }

  /** What is in a folder, and the names of what lies below it. */
  async #folder(
    upper: Folder,
    lower: Folder | undefined,
    path: string,
    depth: number,
  ): Promise<Pick<Entry, 'children' | 'lowerNames'>> {
    const children: Entry[] = [];
    for (const name of await upper.names(this.#most + 1)) {
      const entry = await this.#entry(upper, lower, name, `${path}/${name}`, depth + 1);
      if (entry) children.push(entry);
    }
    if (!lower) return { children };
    const lowerNames = await lower.names(this.#most + 1);
    for (const name of lowerNames) this.#held.entry({ path: name, target: '' });
    return { children, lowerNames };
  }

  /** Undefined when it was removed while we read. */
  async #entry(
    upper: Folder,
    lower: Folder | undefined,
    name: string,
    path: string,
    depth: number,
  ): Promise<Entry | undefined> {
    const own = await readFacts(upper, name);
    if (!own) return undefined;
    const below = lower && (await readFacts(lower, name));
    this.#held.entry({ path, target: `${own.target ?? ''}${below?.target ?? ''}` });
    const entry: Entry = { path, upper: own, ...(below && { lower: below }), children: [] };
    // What is in such a folder is not looked at: a layer that has it is refused.
    if (own.type !== 'folder' || depth > MAX_DEPTH) return entry;
    await using folder = await upper.folder(name);
    if (!folder) return undefined;
    await using folderBelow = below?.type === 'folder' ? await lower?.folder(name) : undefined;
    return { ...entry, ...(await this.#folder(folder, folderBelow, path, depth)) };
  }
}

function tooMuch(what: string): UserError {
  return new UserError(
    'INVALID',
    `What was changed, with what lies beside it in the image, is ${what}.`,
    'Remove what need not be saved, or build the image from a Dockerfile: walt image build',
  );
}

/** Of what is in a folder, without its attributes; undefined: nothing. */
export async function readFacts(folder: Folder, name: string): Promise<Facts | undefined> {
  const stats = await folder.stat(name);
  if (!stats) return undefined;
  const target = stats.isSymbolicLink() ? await folder.readLink(name) : undefined;
  return factsOf(stats, target);
}

function factsOf(stats: BigIntStats, target?: string): Facts {
  return {
    type: typeOf(stats),
    mode: Number(stats.mode & 0o7777n),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    size: Number(stats.size),
    mtime: stats.mtimeNs,
    links: Number(stats.nlink),
    device: Number(stats.rdev),
    ...(target !== undefined && { target }),
    attributes: new Map(),
  };
}

function typeOf(stats: BigIntStats): Facts['type'] {
  if (stats.isDirectory()) return 'folder';
  if (stats.isFile()) return 'file';
  if (stats.isSymbolicLink()) return 'link';
  if (stats.isSocket()) return 'socket';
  return stats.isCharacterDevice() && stats.rdev === 0n ? 'whiteout' : 'other';
}

function* flatten(entries: readonly Entry[]): Generator<Entry> {
  for (const entry of entries) {
    yield entry;
    yield* flatten(entry.children);
  }
}

async function addAttributes(
  folders: { upper: string; lower: string; live: boolean },
  all: readonly Entry[],
): Promise<void> {
  const [upper, lower] = [rawOf(folders.upper), rawOf(folders.lower)];
  const entries = all.filter((entry) => entry.upper.type !== 'whiteout');
  const own = entries.map(({ path }) => path);
  const below = entries.flatMap((entry) => (entry.lower ? [lower + entry.path] : []));
  const live = folders.live ? await readLiveAttributes(folders.upper, own) : undefined;
  const found = await readAttributes([...(live ? [] : own.map((path) => upper + path)), ...below]);
  for (const entry of entries) {
    const { path } = entry;
    entry.upper = withAttributes(entry.upper, live ? live.get(path) : found.get(upper + path));
    if (entry.lower) entry.lower = withAttributes(entry.lower, found.get(lower + path));
  }
}

function withAttributes(facts: Facts, attributes: ReadonlyMap<string, string> | undefined): Facts {
  return attributes ? { ...facts, attributes } : facts;
}

/** Reads two files only if nothing else tells them apart. */
async function compareContent(upper: Tree, lower: Tree, entry: Entry): Promise<void> {
  const { path, upper: own, lower: below } = entry;
  if (own.type !== 'file' || below?.type !== 'file') return;
  if (own.size !== below.size || own.mtime !== below.mtime) return;
  await using one = await upper.open(path);
  await using other = await lower.open(path);
  entry.sameContent = one !== undefined && other !== undefined && (await sameBytes(one, other));
}
