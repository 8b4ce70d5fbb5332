import { type NodeSet, PLATFORM_OWNER } from '@walt/contract';
import { nearNames, UserError } from '../platform/index.ts';

export interface SetMember {
  name: string;
  /** Owner of the image that it boots. */
  image_owner: string;
}

/**
 * The nodes that a set expression means, sorted by name, each once. Throws UserError NOT_FOUND for a name that no
 * node has, and for a set that is empty.
 */
export function expandSet<T extends SetMember>(expression: string, nodes: readonly T[], user: string): T[] {
  const chosen = new Set<T>();
  for (const word of expression.split(',')) {
    const keyword = keywords.get(word);
    const matches = nodes.filter(keyword ? (node) => keyword(node, user) : (node) => node.name === word);
    if (!keyword && matches.length === 0) throw noSuchNode(word, nodes);
    for (const node of matches) chosen.add(node);
  }
  if (chosen.size === 0) {
    throw new UserError(
      'NOT_FOUND',
      `No node matches "${expression}".`,
      'See all nodes with: walt node show --all',
    );
  }
  return sortByName([...chosen]);
}

/** As `expandSet`, but an empty keyword gives an empty list: for listings. */
export function selectSet<T extends SetMember>(expression: string, nodes: readonly T[], user: string): T[] {
  const words = expression.split(',');
  const empty = words.every((word) => keywords.has(word));
  try {
    return expandSet(expression, nodes, user);
  } catch (error) {
    if (empty && error instanceof UserError) return [];
    throw error;
  }
}

export function noSuchNode(name: string, nodes: readonly SetMember[]): UserError {
  const near = nearNames(
    name,
    nodes.map((node) => node.name),
  );
  return new UserError(
    'NOT_FOUND',
    `There is no node named "${name}".`,
    near.length > 0 ? `Did you mean ${near.join(' or ')}?` : 'See all nodes with: walt node show --all',
  );
}

const meanings: Record<NodeSet, (node: SetMember, user: string) => boolean> = {
  'my-nodes': (node, user) => node.image_owner === user,
  'free-nodes': (node) => node.image_owner === PLATFORM_OWNER,
  'all-nodes': () => true,
};
/** Of these words only: a node may be called as what each object has, such as `constructor`. */
const keywords = new Map(Object.entries(meanings));

function sortByName<T extends SetMember>(nodes: T[]): T[] {
  return nodes.sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
}
