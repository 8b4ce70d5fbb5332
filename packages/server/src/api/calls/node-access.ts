import type { Caller } from '../../access/index.ts';
import { UserError } from '../../platform/index.ts';
import type { NodeEndpoint } from '../services.ts';

/** Throws FORBIDDEN unless the node is the caller's own, a free one, or he is root. */
export function requireNode(caller: Caller, { name, owner }: Pick<NodeEndpoint, 'name' | 'owner'>): void {
  if (isOpenTo(caller, owner)) return;
  throw new UserError(
    'FORBIDDEN',
    `Node ${name} belongs to ${owner}.`,
    `Ask ${owner} to release it, or take a free node: walt node show --all`,
  );
}

/**
 * Throws FORBIDDEN unless the caller may enter the node as it runs now (relays, console): after `requireNode`, what runs there must
 * not be what another owner booted before, with his /persist. Throws UNAVAILABLE then: its reboot is ordered.
 */
export function requireRunningNode(
  caller: Caller,
  node: Pick<NodeEndpoint, 'name' | 'owner' | 'bootOwner'>,
): void {
  requireNode(caller, node);
  if (isOpenTo(caller, node.bootOwner)) return;
  throw new UserError(
    'UNAVAILABLE',
    `Node ${node.name} still runs what ${node.bootOwner} booted; it is told to reboot.`,
    `Wait for it: walt node wait ${node.name}`,
  );
}

function isOpenTo(caller: Caller, owner: string | null): boolean {
  return caller.admin || owner === null || owner === caller.user;
}
