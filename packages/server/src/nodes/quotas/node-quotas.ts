import { stat } from 'node:fs/promises';
import { hasErrno, type Paths } from '../../platform/index.ts';
import { type Bounds, NOTHING_USED, type Quotas, requireWithin, type Uses } from '../../space/index.ts';
import { ownerOf } from '../ownership/index.ts';
import { persistImage } from '../plan/index.ts';
import { machineSize, mountsPersist } from '../setting-values.ts';
import type { NodeRow, NodeStore } from '../store.ts';

/** `id`: undefined for one that is to be made. */
export type CountedNode = Pick<
  NodeRow,
  'name' | 'type' | 'model' | 'settings' | 'image_owner' | 'made_by'
> & {
  id?: number;
};

/** A file system of a user's: the node's name if it is there, bytes that it may grow to, and those that it takes. */
export interface PersistSpace {
  node: number;
  size: number;
  used: number;
}

const MIB = 1024 * 1024;

/** For whom a virtual node counts: its owner, or, while it is free, who made it. */
export function holderOf(node: CountedNode): string | null {
  return ownerOf(node) ?? node.made_by;
}

/**
 * Pure. What a user has of these nodes. `persist`: his file systems that are there; that of a node of his may grow to its size, which
 * is `limit` for one that is made yet: all of it counts. What he left on others cannot grow.
 */
export function nodeUses(
  user: string,
  nodes: readonly CountedNode[],
  persist: readonly PersistSpace[],
  limit: number,
): Uses {
  const machines = nodes.filter((node) => node.type === 'virtual' && holderOf(node) === user);
  const of = (amount: (node: CountedNode) => number) =>
    machines.map((node) => ({ name: node.name, amount: amount(node) }));
  const mounting = nodes.filter((node) => ownerOf(node) === user && mountsPersist(node));
  const own = new Map(mounting.map((node) => [node.id ?? 'new', node.name]));
  const files = new Map(persist.map((space) => [space.node, space]));
  const names = new Map(nodes.map((node) => [node.id, node.name]));
  const left = persist.filter(({ node }) => !own.has(node));
  return {
    ...NOTHING_USED,
    'virtual-nodes': of(() => 1),
    cores: of((node) => machineSize(node).cpuCores),
    memory: of((node) => machineSize(node).ramMiB * MIB),
    persist: [
      ...mounting.map(({ id, name }) => ({
        name,
        amount: Math.max(limit, (id === undefined ? undefined : files.get(id))?.size ?? 0),
      })),
      ...left.map(({ node, used }) => ({ name: names.get(node) ?? `node ${node}`, amount: used })),
    ],
  };
}

interface Deps {
  quotas: Quotas;
  store: Pick<NodeStore, 'persistFolders'>;
  paths: Pick<Paths, 'persist'>;
  /** Bytes of a new /persist. */
  limit: number;
}

export class NodeQuotas {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /**
   * Throws UserError FORBIDDEN when any of these users has more of `after` than of `before`, and more than he may. To be asked where
   * nobody else changes nodes until it is written.
   */
  async require(
    users: Iterable<string>,
    before: readonly CountedNode[],
    after: readonly CountedNode[],
  ): Promise<void> {
    for (const user of new Set(users)) {
      const bounds = await this.#deps.quotas.of(user);
      if (Object.keys(bounds).length === 0) continue;
      const persist = await this.#persistOf(user, bounds);
      const uses = (nodes: readonly CountedNode[]) => nodeUses(user, nodes, persist, this.#deps.limit);
      requireWithin(user, bounds, uses(before), uses(after));
    }
  }

  /** As `require`, of all for whom these nodes count. */
  requireOf(
    ids: readonly number[],
    before: readonly CountedNode[],
    change: (node: CountedNode) => CountedNode,
  ): Promise<void> {
    const chosen = new Set(ids);
    const isChosen = ({ id }: CountedNode) => id !== undefined && chosen.has(id);
    const after = before.map((node) => (isChosen(node) ? change(node) : node));
    const holders = after.filter(isChosen).flatMap((node) => holderOf(node) ?? []);
    return this.require(holders, before, after);
  }

  async usesOf(user: string, nodes: readonly CountedNode[]): Promise<Uses> {
    return nodeUses(user, nodes, await this.#persistOf(user), this.#deps.limit);
  }

  /** File systems of a user's; none, where `bounds` say nothing of them. */
  async #persistOf(user: string, bounds?: Bounds): Promise<PersistSpace[]> {
    if (bounds && !bounds.persist) return [];
    const { store, paths } = this.#deps;
    const folders = (await store.persistFolders()).filter(({ owner }) => owner === user);
    const found = await Promise.all(
      folders.map(async ({ node }) => ({ node, ...(await spaceOf(persistImage(paths, user, node))) })),
    );
    return found;
  }
}

/** Bytes that a sparse file may grow to, and those that it takes; none: it is not made yet. */
export async function spaceOf(file: string): Promise<{ size: number; used: number }> {
  try {
    const { size, blocks } = await stat(file);
    // In units of 512 bytes, whatever the file system (stat(2)).
    return { size, used: blocks * 512 };
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return { size: 0, used: 0 };
    throw error;
  }
}

/** Everybody for whom nodes count. */
export function holdersOf(nodes: readonly CountedNode[]): string[] {
  return [...new Set(nodes.flatMap((node) => [ownerOf(node), node.made_by].filter((name) => name !== null)))];
}
