import {
  type DescribedNode,
  fits,
  fullName,
  NODE_FIELDS,
  type NodeField,
  type NodeSet,
  type ParsedSet,
  PLATFORM_OWNER,
  parseNodeSet,
  type TextPattern,
} from '@walt/contract';
import { nearNames, UserError } from '../platform/index.ts';

export interface SetMember {
  name: string;
  /** Owner of the image that it boots. */
  image_owner: string;
}

/** Answers of each what conditions are about; asked once, and only where there are conditions. */
type Describe<T> = (nodes: readonly T[]) => Promise<readonly DescribedNode[]>;

/**
 * The nodes that a set expression (contract, `parseNodeSet`) means, sorted by name, each once. Throws UserError NOT_FOUND for a name
 * that no node has, a pattern that fits none, and for a set that is empty.
 */
export async function expandSet<T extends SetMember>(
  expression: string,
  nodes: readonly T[],
  user: string,
  describe: Describe<T>,
): Promise<T[]> {
  const chosen = await selectSet(expression, nodes, user, describe);
  if (chosen.length > 0) return chosen;
  throw noMatch(expression);
}

/** As `expandSet`, but keywords and conditions that no node answers to give an empty list: for listings. */
export async function selectSet<T extends SetMember>(
  expression: string,
  nodes: readonly T[],
  user: string,
  describe: Describe<T>,
): Promise<T[]> {
  const { words, conditions } = readSet(expression);
  const named = byWords(words, nodes, user);
  if (conditions.length === 0) return sortByName(named);
  const described = await describe(named);
  const tests = conditions.map(({ field, not, values }) => {
    const one = remembering((text) => values.some((value) => suits(value, text, field, user)) !== not);
    return (node: DescribedNode) => one(NODE_FIELDS[field](node));
  });
  return sortByName(
    named.filter((_, index) => tests.every((test) => test(described[index] as DescribedNode))),
  );
}

function readSet(expression: string): ParsedSet {
  const parsed = parseNodeSet(expression);
  if (typeof parsed === 'string') {
    throw new UserError('INVALID', `The set of nodes ${parsed}.`, 'Read: walt help show node-sets');
  }
  return parsed;
}

function byWords<T extends SetMember>(words: ParsedSet['words'], nodes: readonly T[], user: string): T[] {
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const chosen = new Set<T>();
  for (const { text, pattern } of words) {
    const keyword = keywords.get(text);
    if (pattern || keyword) {
      const matches = nodes.filter((node) =>
        pattern ? fits(pattern, node.name) : keyword?.(node, user) === true,
      );
      if (pattern && matches.length === 0) throw noMatch(text);
      for (const node of matches) chosen.add(node);
    } else {
      const node = byName.get(text);
      if (!node) throw noSuchNode(text, nodes);
      chosen.add(node);
    }
  }
  return [...chosen];
}

/** An image without its owner is the caller's, as everywhere. */
function suits(value: TextPattern, text: string, field: NodeField, user: string): boolean {
  if (field !== 'image') return typeof value === 'string' ? value === text : fits(value, text);
  const own = fullName({ owner: user, name: '' });
  const mine = text.startsWith(own) ? text.slice(own.length) : undefined;
  return [text, mine].some(
    (one) => one !== undefined && (typeof value === 'string' ? value === one : fits(value, one)),
  );
}

/** Many nodes have the same model, or image. */
function remembering(test: (text: string) => boolean): (text: string) => boolean {
  const known = new Map<string, boolean>();
  return (text) => {
    const found = known.get(text) ?? test(text);
    known.set(text, found);
    return found;
  };
}

function noMatch(expression: string): UserError {
  return new UserError(
    'NOT_FOUND',
    `No node matches "${expression}".`,
    'See all nodes with: walt node show --all',
  );
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

/** Made once: `localeCompare` makes one for each comparison of thousands. */
const byNumbers = new Intl.Collator('en', { numeric: true });

function sortByName<T extends SetMember>(nodes: T[]): T[] {
  return nodes.sort((a, b) => byNumbers.compare(a.name, b.name));
}
