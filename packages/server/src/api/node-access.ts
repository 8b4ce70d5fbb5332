import type { Caller } from '../access/index.ts';
import { UserError } from '../platform/index.ts';
import type { NodeEndpoint } from './services.ts';

/** Throws FORBIDDEN unless `caller` may enter the node (shell, relays, console): his own, a free one, or he is root. */
export function requireNodeAccess(caller: Caller, node: NodeEndpoint): void {
  if (caller.admin || node.owner === null || node.owner === caller.user) return;
  throw new UserError(
    'FORBIDDEN',
    `Node ${node.name} belongs to ${node.owner}.`,
    `Ask ${node.owner} to release it, or take a free node: walt node show --all`,
  );
}
