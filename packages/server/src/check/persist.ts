import { join } from 'node:path';
import { persistImage } from '../nodes/index.ts';
import { type Finding, fileExists, left, namesIn, type Paths } from '../platform/index.ts';

/** What nodes' rows say of it. */
export interface FoldersOfNodes {
  persistFolders(): Promise<{ node: number; owner: string }[]>;
  byId(node: number): Promise<{ name: string } | undefined>;
}

/** What differs between the nodes' /persist and the files that it lies in. Nothing of it is mended: it is somebody's data. */
export async function* checkPersist(
  store: FoldersOfNodes,
  paths: Pick<Paths, 'persist'>,
): AsyncGenerator<Finding> {
  const known = new Set<string>();
  for (const { node, owner } of await store.persistFolders()) {
    const file = persistImage(paths, owner, node);
    known.add(file);
    if (await fileExists(file)) continue;
    const name = (await store.byId(node))?.name ?? `number ${node}`;
    const text = `The /persist of ${owner} on node ${name} is not there: ${file}`;
    yield left('persist-lost', text, 'Bring it back from a backup; else the next boot makes an empty one.');
  }
  for (const owner of await namesIn(paths.persist)) {
    for (const name of await namesIn(join(paths.persist, owner))) {
      const file = join(paths.persist, owner, name);
      if (!/^\d+\.img$/.test(name) || known.has(file)) continue;
      const text = `No node has this /persist of ${owner}: ${file}`;
      yield left(
        'persist-unknown',
        text,
        'Look into it (mount -o loop,ro), then delete it if nobody misses it.',
      );
    }
  }
}
