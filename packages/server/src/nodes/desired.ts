import { join } from 'node:path';
import { virtualModel } from '@walt/contract';
import type { Paths } from '../platform/index.ts';
import type { Desired, Machine } from './planner.ts';
import type { NodeRow, NodeStore } from './store.ts';

/** Image of the file system that a node of an owner has as /persist. */
export function persistImage(paths: Pick<Paths, 'persist'>, owner: string, node: number): string {
  return join(paths.persist, owner, `${node}.img`);
}

function machineOf({ id, mac, model, cpu_cores, ram_mib }: NodeRow): Machine {
  return { id, mac, model: virtualModel.parse(model), cpuCores: cpu_cores ?? 2, ramMiB: ram_mib ?? 1024 };
}

/** What the database says should be, in the planner's words. */
export async function desiredState(store: NodeStore, paths: Pick<Paths, 'persist'>): Promise<Desired> {
  const [rows, folders, trees, removed] = await Promise.all([
    store.all(),
    store.persistFolders(),
    store.treeImages(),
    store.removed(),
  ]);
  const byNode = Map.groupBy(folders, (folder) => folder.node);
  const nodes = rows.map((row) => ({
    id: row.id,
    mac: row.mac,
    ip: row.ip,
    name: row.name,
    machine: row.type === 'virtual' ? machineOf(row) : null,
    generation: row.generation,
    hard: row.hard === 1,
    served: row.served_generation,
    servedAt: row.served_at,
    bootedAt: row.booted_at,
    // Of the boot that runs, not of the owner that the node has by now: his is not to be seen before his boot begins.
    persist: (byNode.get(row.id) ?? [])
      .filter((folder) => folder.id === row.served_persist)
      .map((folder) => ({ id: folder.id, file: persistImage(paths, folder.owner, row.id) })),
    tree: trees.get(row.served_digest ?? '') ?? null,
  }));
  return { nodes, removed };
}
