import { rm } from 'node:fs/promises';
import type { SshAuthority } from '../../../access/index.ts';
import { namesIn, type Paths } from '../../../platform/index.ts';
import type { NodeStore } from '../../store.ts';
import { persistImage } from '../desired.ts';
import type { RemovalSteps } from '../removed.ts';
import type { Executors } from '../steps.ts';

interface Deps {
  paths: Pick<Paths, 'persist'>;
  ssh: Pick<SshAuthority, 'removeNode'>;
  store: Pick<NodeStore, 'noteForgotten'>;
}

export function removal({ paths, ssh, store }: Deps): Executors<RemovalSteps> {
  return {
    /** Deletes what a removed node left on the server: its /persist and its keys. Idempotent. */
    forgetNode: async ({ id }) => {
      await ssh.removeNode(id);
      for (const owner of await namesIn(paths.persist)) {
        await rm(persistImage(paths, owner, id), { force: true });
      }
      await store.noteForgotten(id);
    },
  };
}
