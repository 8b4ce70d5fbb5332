/** Nodes that were removed. */
import type { MachinesSeen } from './machines.ts';
import type { StepOf } from './steps.ts';

export interface RemovalSteps {
  /** Deletes what is stored of a node that was removed. */
  forgetNode: { id: number };
}

/** `removed`: ids of nodes of which something may still be stored. */
export function planRemoval(
  removed: readonly number[],
  seen: Pick<MachinesSeen, 'machines'>,
): StepOf<RemovalSteps>[] {
  // Its machine goes first: what runs still writes.
  return removed.filter((id) => !seen.machines.has(id)).map((id) => ({ kind: 'forgetNode', id }));
}
