import { rm } from 'node:fs/promises';
import type { SshAuthority } from '../../../access/index.ts';
import { namesIn, type Paths } from '../../../platform/index.ts';
import type { ConsolePart } from '../../consoles/index.ts';
import type { Engine } from '../../engine/index.ts';
import type { NodeStore } from '../../store.ts';
import { persistImage } from '../desired.ts';
import type { RemovalSteps } from '../removed.ts';
import type { Executors } from '../steps.ts';

interface Deps {
  paths: Pick<Paths, 'persist'>;
  ssh: Pick<SshAuthority, 'removeNode'>;
  machines: Pick<Engine, 'remove'>;
  store: Pick<NodeStore, 'all' | 'noteForgotten'>;
  lines: Pick<LinesOfNodes, 'keep'>;
}

/** What nodes logged. */
export interface LinesOfNodes {
  /** Removes lines of all that have none of these addresses: whoever gets a free one must not have another's. */
  keep(addresses: readonly string[]): Promise<void>;
  /** Stores what a console printed, unless it is stored. Answers how far it is. */
  keepConsole(part: ConsolePart): Promise<number>;
}

export function removal({ paths, ssh, machines, store, lines }: Deps): Executors<RemovalSteps> {
  return {
    /** Deletes what a removed node left on the server: its /persist, its keys, its disks, its lines. Idempotent. */
    forgetNode: async ({ id }) => {
      await ssh.removeNode(id);
      // One that did not run has left its disks.
      await machines.remove(id);
      for (const owner of await namesIn(paths.persist)) {
        await rm(persistImage(paths, owner, id), { force: true });
      }
      await lines.keep((await store.all()).map(({ ip }) => ip));
      await store.noteForgotten(id);
    },
  };
}
