/** Who is on the networks that nodes are to join. */
import { WALT_NET } from '@walt/contract';
import { ownerOf } from '../ownership/index.ts';
import { type Configured, networksOf } from '../setting-values.ts';
import type { NodeRow } from '../store.ts';

type Member = Pick<NodeRow, 'name' | 'image_owner' | 'model' | 'settings'>;

/** Pure. Nodes of owners who have none of those that join, on networks that these are not on yet; of each, one such network. */
export function strangersOn(
  joining: readonly { before: Configured | undefined; after: Member }[],
  all: readonly Member[],
): { name: string; owner: string | null; network: string }[] {
  const joined = new Set(
    joining.flatMap(({ before, after }) => {
      const already = new Set(before ? namesOf(before) : []);
      return namesOf(after).filter((name) => !already.has(name));
    }),
  );
  if (joined.size === 0) return [];
  const owners = new Set(joining.map(({ after }) => ownerOf(after)));
  return all.flatMap((node) => {
    const network = namesOf(node).find((name) => joined.has(name));
    const isStranger = network !== undefined && !owners.has(ownerOf(node));
    return isStranger ? [{ name: node.name, owner: ownerOf(node), network }] : [];
  });
}

function namesOf(node: Configured): string[] {
  return (networksOf(node) ?? []).map(({ name }) => name).filter((name) => name !== WALT_NET);
}
