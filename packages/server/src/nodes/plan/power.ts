/** Who can do what to a node's power. Which source has it, and how that does it, is told in nodes/power/. */
import type { PowerActs } from '../power/index.ts';
import type { StepOf } from './steps.ts';

export interface PowerSteps {
  /** Cuts the power and gives it back. */
  resetPower: { id: number; generation: number };
}

export interface PowerWish {
  id: number;
  generation: number;
  /** What can be done to its power from outside. */
  power: PowerActs;
}

/** No step where nobody can reset the node. */
export function planReset({ id, generation, power }: PowerWish): StepOf<PowerSteps>[] {
  return power.reset ? [{ kind: 'resetPower', id, generation }] : [];
}
