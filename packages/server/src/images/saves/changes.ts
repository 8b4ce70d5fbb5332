/**
 * What a container's user changed, told from the entries of the container's upper folder and what lay under them. Pure.
 * Terms of overlayfs (kernel's Documentation/filesystems/overlayfs.rst): a whiteout hides what is below, an opaque folder
 * replaces the one below, copy-up brings a file into the upper folder before its first change. Paths are bytes, as Latin-1
 * strings, absolute as the container sees them; empty: the root.
 */
import { whyNotInLayer } from '../layers/index.ts';

export interface Facts {
  type: 'file' | 'folder' | 'link' | 'whiteout' | 'socket' | 'other';
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  size: number;
  /** Nanoseconds. */
  mtime: bigint;
  links: number;
  device: number;
  /** Of a symbolic link. */
  target?: string;
  /** Extended attributes, values in hexadecimal. */
  attributes: ReadonlyMap<string, string>;
}

/** A path of the upper folder, and what the image has there. */
export interface Entry {
  path: string;
  upper: Facts;
  lower?: Facts;
  children: Entry[];
  /** Names in the image's folder, where both are folders. */
  lowerNames?: readonly string[];
  /** Whether two regular files of equal size hold the same bytes. */
  sameContent?: boolean;
}

export interface Change {
  kind: 'A' | 'M' | 'D';
  path: string;
}

export interface Verdict {
  /** Sorted by path. */
  changes: Change[];
  layer: LayerPlan;
  /** Paths that the user made and no layer can hold. */
  refused: string[];
  /** Changes that are lost, since nothing that unpacks layers takes them. */
  lost: { path: string; why: string }[];
}

/** What the layer has to hold: nothing that merely lies in the upper folder. Each list is sorted, so that folders come first. */
export interface LayerPlan {
  /** Taken as they are, folders without what is in them. */
  entries: string[];
  /** Folders that were moved: what is in them, overlayfs has elsewhere. */
  moved: string[];
  /** What is gone. */
  deleted: string[];
  /** Folders of which nothing is left that the image has in them. */
  cleared: string[];
  /** True when data of some files is in the image's layers: only the mounted tree of the container has them as a whole. */
  partial: boolean;
}

/**
 * Sorts the entries of an upper folder, its root first, into what the user changed and what merely lies there. `left`: files that
 * are nobody's change, and folders that are none while nothing is in them.
 */
export function judge(entries: readonly Entry[], left: ReadonlySet<string> = new Set()): Verdict {
  const layer: LayerPlan = { entries: [], moved: [], deleted: [], cleared: [], partial: false };
  const verdict: Verdict = { changes: [], layer, refused: [], lost: [] };
  for (const entry of entries) judgeEntry(entry, verdict, left);
  verdict.changes.sort(byPath);
  verdict.lost.sort(byPath);
  for (const list of [layer.entries, layer.moved, layer.deleted, layer.cleared, verdict.refused]) list.sort();
  return verdict;
}

function byPath(a: { path: string }, b: { path: string }): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

/** True when the entry, or something in it, is a change of the user: then it has to stay. */
function judgeEntry(entry: Entry, verdict: Verdict, left: ReadonlySet<string>): boolean {
  const { path, upper, lower } = entry;
  const { changes, layer, refused, lost } = verdict;
  const change = (kind: Change['kind']) => {
    if (path === '') {
      lost.push({
        path: '/',
        why: 'owner, mode and attributes of the root itself stay as the image has them',
      });
      return true;
    }
    changes.push({ kind, path });
    if (kind !== 'D' && hasEmptyAttribute(upper)) {
      lost.push({ path, why: 'attributes without a value have no place in an image' });
    }
    // A socket is worth nothing without the program that made it, and no layer holds one.
    if (kind === 'D') layer.deleted.push(path);
    else layer.entries.push(path);
    return true;
  };
  if (upper.type === 'whiteout' || upper.type === 'socket') return lower !== undefined && change('D');
  if (whyNotInLayer(path)) refused.push(path);
  if (isPartial(upper)) layer.partial = true;
  if (upper.type !== 'folder') {
    if (upper.type === 'file' && left.has(path)) return false;
    if (lower === undefined) return !isLeftByPodman(path, upper) && change('A');
    return !sameLeaf(entry, lower) && change('M');
  }
  if (isRedirected(upper)) {
    layer.moved.push(path);
    return change('A');
  }
  if (lower?.type === 'folder' && isOpaque(upper)) layer.cleared.push(path);
  const replaced = lower !== undefined && (lower.type !== 'folder' || isOpaque(upper));
  if (replaced) for (const gone of missingNames(entry)) changes.push({ kind: 'D', path: gone });
  const stays = entry.children.map((child) => judgeEntry(child, verdict, left)).some(Boolean);
  if (lower === undefined) {
    const residue = !stays && (isMountPoint(path) || left.has(path));
    return !residue && change('A');
  }
  if (replaced || !sameFolder(upper, lower)) return change('M');
  if (stays && path !== '') layer.entries.push(path);
  return stays;
}

/** Times of a folder change with each entry that comes and goes: they count for nothing. */
function sameFolder(upper: Facts, lower: Facts): boolean {
  return sameOwner(upper, lower) && sameAttributes(upper, lower);
}

function sameLeaf({ upper, sameContent }: Entry, lower: Facts): boolean {
  if (upper.type !== lower.type || !sameOwner(upper, lower) || !sameAttributes(upper, lower)) return false;
  switch (upper.type) {
    case 'link':
      return upper.target === lower.target;
    case 'file':
      // Several links: copy-up breaks them, so that these are the user's.
      return (
        upper.links === 1 && upper.mtime === lower.mtime && upper.size === lower.size && sameContent === true
      );
    default:
      return upper.device === lower.device;
  }
}

function sameOwner(a: Facts, b: Facts): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}

const OVERLAY = 'trusted.overlay.';

function sameAttributes(a: Facts, b: Facts): boolean {
  // Data of such a file is below: nothing here may be called equal.
  if (isPartial(a)) return false;
  const [own, other] = [a, b].map(({ attributes }) =>
    [...attributes].filter(([name]) => !name.startsWith(OVERLAY)).sort(([m], [n]) => (m < n ? -1 : 1)),
  );
  return JSON.stringify(own) === JSON.stringify(other);
}

function isPartial({ attributes }: Facts): boolean {
  return attributes.has(`${OVERLAY}metacopy`);
}

function hasEmptyAttribute({ attributes }: Facts): boolean {
  return attributes.entries().some(([name, value]) => /^(?:0x)?$/.test(value) && !name.startsWith(OVERLAY));
}

function isOpaque({ attributes }: Facts): boolean {
  return attributes.get(`${OVERLAY}opaque`) === '0x79';
}

function isRedirected({ attributes }: Facts): boolean {
  return attributes.has(`${OVERLAY}redirect`);
}

/** What the image has in a folder that was replaced, and the new one has not. */
function missingNames({ path, children, lowerNames = [] }: Entry): string[] {
  const present = new Set(
    children.filter(({ upper }) => upper.type !== 'whiteout').map((child) => child.path),
  );
  // A whiteout in an opaque folder says the same once more.
  const told = new Set(children.filter(({ upper }) => upper.type === 'whiteout').map((child) => child.path));
  return lowerNames
    .map((name) => `${path}/${name}`)
    .filter((child) => !present.has(child) && !told.has(child));
}

/** Files that podman makes so that it can mount its own over them, where the image has none. */
const mountedFiles = new Set(['/etc/hostname', '/etc/hosts', '/etc/resolv.conf', '/run/.containerenv']);

/** What an init leaves, and the folders that podman makes for one: a machine's id must not be that of all nodes. */
export const leftByInit: ReadonlySet<string> = new Set([
  ...['/etc/machine-id', '/etc/.pwd.lock', '/tmp', '/run/lock', '/var', '/var/log', '/var/log/journal'],
]);

/** Folders that podman makes to mount something there, where the image has none. */
const mountPoints = new Set(['/dev', '/etc', '/proc', '/run', '/run/secrets', '/sys']);

function isMountPoint(path: string): boolean {
  return mountPoints.has(path);
}

function isLeftByPodman(path: string, { type, size, target }: Facts): boolean {
  if (path === '/etc/mtab') return type === 'link' && target === '/proc/mounts';
  return mountedFiles.has(path) && type === 'file' && size === 0;
}
