import type { NodeState } from '@walt/contract';

/** Seconds of silence after which a node that had booted is called unreachable. */
export const SILENCE_LIMIT = 10;

export interface Liveness {
  /** The order that is to be reached, and the one that was last served. */
  generation: number;
  served: number | null;
  /** Unix times in seconds; null where it did not happen. */
  servedAt: number | null;
  bootedAt: number | null;
  created: number;
  /** Whether its agent holds a connection now, and when it last did (start of this server if never). */
  connected: boolean;
  lastHeard: number;
  /** Unix time in seconds when the boot that counts could not go on; null: it goes on, as far as is known. */
  failedAt: number | null;
  /** False for a virtual node whose machine does not run. */
  powered: boolean;
  /** Unix time in seconds since when it boots on another machine than the one that was served; null: on that one. */
  succeededAt: number | null;
}

/** What a user is told about a node, and since when. Pure; all times in seconds. */
export function nodeState(node: Liveness, now: number): { state: NodeState; since: number | null } {
  if (!node.powered) return { state: 'off', since: null };
  if (node.failedAt !== null) return { state: 'failed', since: node.failedAt };
  if (node.served === null) {
    return node.servedAt === null ? { state: 'booting', since: node.created } : { state: 'off', since: null };
  }
  // What is known of the boot that was served tells nothing of this machine.
  if (node.succeededAt !== null) return { state: 'booting', since: node.succeededAt };
  if (node.bootedAt === null) return { state: 'booting', since: node.servedAt };
  const silent = !node.connected && now - node.lastHeard > SILENCE_LIMIT;
  if (silent) return { state: 'unreachable', since: node.lastHeard };
  if (node.generation > node.served) return { state: 'booting', since: node.servedAt };
  return { state: 'booted', since: node.bootedAt };
}
