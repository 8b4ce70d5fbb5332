import type { NodeRow } from '../store.ts';

/**
 * Somebody who has the power of nodes in hand. What he cannot do, he lacks the function for. Each kind is a file of this folder,
 * and an element of the list in nodes/index.ts.
 */
export interface PowerSource {
  /** Whether he has this node's power. */
  has(node: NodeRow): boolean;
  /** Cuts the power and gives it back, whatever state the node is in. */
  reset?(node: NodeRow): Promise<void>;
  /** Tells one time with power from the next; undefined while there is none. */
  cycle?(node: NodeRow): Promise<string | undefined>;
}

/** What can be done to a node's power from outside. */
export interface PowerActs {
  reset: boolean;
}
