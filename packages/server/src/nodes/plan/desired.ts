import { join } from 'node:path';
import type { Images } from '../../images/index.ts';
import type { Paths } from '../../platform/index.ts';
import type { Power } from '../power/index.ts';
import { bootDelay, bootRetries, bootTimeout, exposedPorts, isRouted } from '../setting-values.ts';
import type { NodeRow, NodeStore } from '../store.ts';
import { knownMachine } from '../virtual/index.ts';
import type { TreeImage } from './exports.ts';
import type { Desired, DesiredNode } from './plan.ts';

/** Image of the file system that a node of an owner has as /persist. */
export function persistImage(paths: Pick<Paths, 'persist'>, owner: string, node: number): string {
  return join(paths.persist, owner, `${node}.img`);
}

interface Deps {
  store: NodeStore;
  images: Pick<Images, 'treeImages'>;
  paths: Pick<Paths, 'persist'>;
  power: Pick<Power, 'acts'>;
}

/** What the database says should be, in the planners' words. */
export async function desiredState({ store, images, paths, power }: Deps): Promise<Desired> {
  const [rows, treeImages, removed] = await Promise.all([store.all(), images.treeImages(), store.removed()]);
  const trees = new Map<string, TreeImage>(
    treeImages.map(({ digest, layers, size }) => [digest, { digest, layers, size }]),
  );
  const nodes = rows.map((row) => ({
    id: row.id,
    mac: row.mac,
    ip: row.ip,
    name: row.name,
    nat: isRouted(row),
    exposed: exposedPorts(row),
    machine: row.type === 'virtual' ? (knownMachine(row) ?? ('unknown' as const)) : null,
    power: power.acts(row),
    generation: row.generation,
    hard: row.hard === 1,
    served: row.served_generation,
    servedAt: row.served_at,
    servedCycle: row.served_cycle,
    bootedAt: row.booted_at,
    orderedAt: row.ordered_at,
    // It begins when the boot is served, which may then wait.
    timeout: bootTimeout(row) + bootDelay(row)[1],
    retries: bootRetries(row),
    persist: persistOf(row, paths),
    tree: trees.get(row.served_digest ?? '') ?? null,
  }));
  return { nodes, removed };
}

/** Of the boot that runs, not of the owner that the node has by now: his is not to be seen before his boot begins. */
function persistOf(row: NodeRow, paths: Deps['paths']): DesiredNode['persist'] {
  const { id: node, ip, served_persist: id, boot_owner: owner } = row;
  if (id === null || owner === null || row.served_mounts === 0) return [];
  return [{ id, ip, file: persistImage(paths, owner, node) }];
}
