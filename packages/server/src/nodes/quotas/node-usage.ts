import { join } from 'node:path';
import type { DiskPart } from '@walt/contract';
import { namesIn, type Paths } from '../../platform/index.ts';
import { persistImage } from '../plan/index.ts';
import type { NodeStore } from '../store.ts';
import { isDiskFile } from '../virtual/index.ts';
import { holderOf, spaceOf } from './node-quotas.ts';

interface Deps {
  store: Pick<NodeStore, 'all' | 'persistFolders'>;
  paths: Pick<Paths, 'persist' | 'virtual'>;
}

/** What nodes take on the server's disk: for each its /persist by who has stored there, its virtual disks, its console. */
export async function nodeDiskParts({ store, paths }: Deps): Promise<DiskPart[]> {
  const nodes = await store.all();
  const names = new Map(nodes.map(({ id, name }) => [id, name]));
  const persist = (await store.persistFolders()).map(async ({ owner, node }): Promise<DiskPart> => {
    const { used } = await spaceOf(persistImage(paths, owner, node));
    return { user: owner, kind: 'persist', name: names.get(node) ?? `node ${node}`, bytes: used };
  });
  const machines = nodes.map(async (node): Promise<DiskPart[]> => {
    const folder = join(paths.virtual, String(node.id));
    const bytes = { disks: 0, console: 0 };
    for (const file of await namesIn(folder)) {
      bytes[isDiskFile(file) ? 'disks' : 'console'] += (await spaceOf(join(folder, file))).used;
    }
    const of = { user: holderOf(node), name: node.name };
    return [
      { ...of, kind: 'disks', bytes: bytes.disks },
      { ...of, kind: 'console', bytes: bytes.console },
    ];
  });
  return [...(await Promise.all(persist)), ...(await Promise.all(machines)).flat()];
}
