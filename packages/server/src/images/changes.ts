/**
 * What a container's user changed, told from the entries of the container's upper folder and what lay under them. Pure.
 * Terms of overlayfs (kernel's Documentation/filesystems/overlayfs.rst): a whiteout hides what is below, an opaque folder
 * replaces the one below, copy-up brings a file into the upper folder before its first change.
 */

export interface Facts {
  type: 'file' | 'folder' | 'link' | 'whiteout' | 'other';
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
  /** Absolute, as the container sees it. */
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
  /** Paths of the upper folder that hold no change of the user, children before parents. */
  residue: string[];
}

/**
 * Sorts the entries below the root of an upper folder into what the user changed and what merely lies there. `left`: files that
 * are nobody's change, and folders that are none while nothing is in them.
 */
export function judge(entries: readonly Entry[], left: ReadonlySet<string> = new Set()): Verdict {
  const verdict: Verdict = { changes: [], residue: [] };
  for (const entry of entries) judgeEntry(entry, verdict, left);
  verdict.changes.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return verdict;
}

/** True when the entry, or something in it, is a change of the user: then it has to stay. */
function judgeEntry(entry: Entry, verdict: Verdict, left: ReadonlySet<string>): boolean {
  const { path, upper, lower } = entry;
  const change = (kind: Change['kind']) => {
    verdict.changes.push({ kind, path });
    return true;
  };
  const residue = () => {
    verdict.residue.push(path);
    return false;
  };
  if (upper.type === 'whiteout') return lower ? change('D') : residue();
  if (upper.type === 'folder') {
    if (isRedirected(upper)) return change('A');
    const replaced = lower !== undefined && (lower.type !== 'folder' || isOpaque(upper));
    if (replaced) for (const gone of missingNames(entry)) verdict.changes.push({ kind: 'D', path: gone });
    const stays = entry.children.map((child) => judgeEntry(child, verdict, left)).some(Boolean);
    if (lower === undefined)
      return !stays && (isMountPoint(path) || left.has(path)) ? residue() : change('A');
    if (replaced || !sameFolder(upper, lower)) return change('M');
    return stays || residue();
  }
  if (upper.type === 'file' && left.has(path)) return residue();
  if (lower === undefined) return isLeftByPodman(path, upper) ? residue() : change('A');
  return sameLeaf(entry, lower) ? residue() : change('M');
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
  if (a.attributes.has(`${OVERLAY}metacopy`)) return false;
  const [own, other] = [a, b].map(({ attributes }) =>
    [...attributes].filter(([name]) => !name.startsWith(OVERLAY)).sort(([m], [n]) => (m < n ? -1 : 1)),
  );
  return JSON.stringify(own) === JSON.stringify(other);
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
