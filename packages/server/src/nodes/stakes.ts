import { PLATFORM_OWNER } from '@walt/contract';
import type { Caller } from '../access/index.ts';
import { UserError } from '../platform/index.ts';
import type { SetMember } from './sets.ts';

/**
 * Throws UserError CONFIRM when an act on these nodes touches somebody else's work and the caller has not said yes.
 * `act` is what is done to them, as in "Do you want to ACT it?".
 */
export function confirmOthers(nodes: readonly SetMember[], caller: Caller, yes: boolean, act: string): void {
  const others = nodes.filter((node) => ownerOf(node) !== null && node.image_owner !== caller.user);
  if (yes || others.length === 0) return;
  const owners = [...new Set(others.map((node) => node.image_owner))].join(', ');
  const them = others.length === 1 ? 'it' : 'them';
  throw confirm(`${nameList(others)} in use by ${owners}. Do you want to ${act} ${them}?`);
}

export function confirm(question: string): UserError {
  return new UserError('CONFIRM', question, 'Answer the question, or repeat the command with --yes.');
}

/** Null: the node is free. */
export function ownerOf(node: SetMember): string | null {
  return node.image_owner === PLATFORM_OWNER ? null : node.image_owner;
}

/** Whose boot runs; null: a free one, or none yet. */
export function bootOwnerOf({ boot_owner }: { boot_owner: string | null }): string | null {
  return boot_owner === PLATFORM_OWNER ? null : boot_owner;
}

/** `a is`, `a and b are`, `7 nodes are`. */
export function nameList(nodes: readonly { name: string }[]): string {
  const names = nodes.map((node) => node.name);
  if (names.length > 5) return `${names.length} nodes are`;
  if (names.length === 1) return `${names[0]} is`;
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)} are`;
}
