import type { KexecLeave, NodeDirectory } from '../../boot/index.ts';
import { type Log, rarely } from '../../platform/index.ts';
import { sameSecret } from '../ownership/index.ts';
import { allowsKexec } from '../setting-values.ts';
import type { NodeRow, NodeStore } from '../store.ts';
import { shortWords } from '../troubles.ts';

type Asking = Pick<NodeRow, 'name' | 'type' | 'model' | 'settings' | 'digest' | 'hard'> &
  Pick<NodeRow, 'generation' | 'served_generation' | 'image_owner' | 'boot_owner'>;

/** Pure. Whether the boot that a node was ordered may begin so. */
export function kexecLeave(node: Asking): KexecLeave {
  const { name, type, model, digest, generation, served_generation, image_owner, boot_owner } = node;
  // Each boot of a virtual one is a new machine.
  if (type !== 'physical' || !allowsKexec(node)) return 'unwanted';
  // A boot that nobody ordered has the number of the one that runs, whose agent may still tell that it is up.
  if (generation === served_generation || digest === null) return 'unwanted';
  if (node.hard === 1) return { refusal: 'its power was to be cut' };
  // What somebody left running there would start the kernel of the next one, and could change it.
  if (image_owner !== boot_owner) return { refusal: 'it changes hands' };
  return { node: { name, model, digest } };
}

interface Deps {
  store: Pick<NodeStore, 'byIp' | 'boots'>;
  log: Log;
}

/** What boot/ asks about them. */
export function kexecOf({ store, log }: Deps): Pick<NodeDirectory, 'mayKexec' | 'withoutKexec'> {
  const told = rarely(log.info);
  return {
    async mayKexec(ip, token) {
      const node = await store.byIp(ip);
      if (!node || typeof token !== 'string' || !sameSecret(node.token, token)) return undefined;
      return kexecLeave(node);
    },

    async withoutKexec(ip, reason) {
      const node = await store.byIp(ip);
      if (!node) return;
      const words = shortWords(reason);
      told('node does not boot by kexec', { node: node.id, reason: words }, String(node.id));
      await store.boots.withoutKexec(node.id, words);
    },
  };
}
