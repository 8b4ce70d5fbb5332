/** Memory of nodes that runs out. */
import type { NodeRoom } from '../boot/index.ts';

/** Part of all that is little. */
const LITTLE = 0.1;

/** What a node is low on; undefined: nothing. */
export function lowOn({ memory, changes }: NodeRoom): 'memory' | 'changes' | undefined {
  if (memory.free < LITTLE * memory.total) return 'memory';
  return changes && changes.free < LITTLE * changes.total ? 'changes' : undefined;
}
