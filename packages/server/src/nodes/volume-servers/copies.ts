/** Which copies of volumes a host is to have. Pure. */
import { LEAST_LOADED, OWN_HOST } from '@walt/contract';

/** What a node means for copies. */
export interface NodeWish {
  /** As `VolumesWish`. */
  from: string;
  /** Host that it runs on, or that it may run on alone; null: none. */
  host: string | null;
  /** Volumes of its next boot. */
  next: readonly string[];
  /** Host that its boot has mounted volumes from, and which; null: none. */
  served: { host: string; names: readonly string[] } | null;
}

export interface WantedCopies {
  /** Those first that are needed first. */
  names: string[];
  /** Nodes have mounted them there. */
  inUse: ReadonlySet<string>;
}

export function wantedCopies(host: string, nodes: readonly NodeWish[]): WantedCopies {
  const inUse = new Set(nodes.flatMap(({ served }) => (served?.host === host ? served.names : [])));
  const boots = ({ from, host: own }: NodeWish) =>
    from === host || from === LEAST_LOADED || (from === OWN_HOST && own === host);
  const next = nodes.filter(boots).flatMap((node) => node.next);
  return { names: [...new Set([...inUse, ...next])], inUse };
}

export interface CopiesSeen {
  /** Names of the copies that are there, right or not looked at yet: those first that came first. */
  there: ReadonlySet<string>;
  /** Of these, those whose bytes are right. */
  right: ReadonlySet<string>;
  /** Those that a node found to be wrong, though their host says otherwise. */
  doubted: ReadonlySet<string>;
  /** Bytes that more copies may take. */
  room: number;
}

export interface CopiesPlan {
  /** What the host is to look at, or to fetch, next. */
  fetch?: string;
  drop: string[];
}

/**
 * `sizes`: in bytes, of those whose bytes are known; the others wait. What nobody wants stays as long as there is room; what is doubted,
 * as long as a node has mounted it.
 */
export function planCopies(
  { names, inUse }: WantedCopies,
  { there, right, doubted, room }: CopiesSeen,
  sizes: ReadonlyMap<string, number>,
): CopiesPlan {
  const wanted = new Set(names);
  const wrong = [...doubted.difference(inUse)];
  const spare = [...there].filter((name) => !wanted.has(name) && !inUse.has(name) && !doubted.has(name));
  for (const name of names) {
    const size = sizes.get(name);
    if (right.has(name) || doubted.has(name) || size === undefined) continue;
    if (there.has(name)) return { fetch: name, drop: wrong };
    const drop = [...wrong];
    let free = room;
    for (const other of spare) {
      if (free >= size) break;
      drop.push(other);
      free += sizes.get(other) ?? 0;
    }
    // What does not fit must not keep others from coming.
    if (free >= size) return { fetch: name, drop };
  }
  return { drop: wrong };
}
