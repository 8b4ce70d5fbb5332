/** Who can do what to a node's power. Which source has it, and how that does it, is told in nodes/power/. */
import type { PowerActs } from '../power/index.ts';
import type { StepOf } from './steps.ts';

export interface PowerSteps {
  /** Cuts the power and gives it back. */
  resetPower: { id: number; generation: number };
  /** Gives power, where there may be none. */
  powerOn: { id: number; generation: number };
}

export interface PowerWish {
  id: number;
  generation: number;
  /** What can be done to its power from outside. */
  power: PowerActs;
}

type Step = StepOf<PowerSteps>;

/** Brings a silent node to boot: by a reset, or, where that is all that somebody can, by switching it on. No step where nobody can. */
export function planPower(node: PowerWish): Step[] {
  return node.power.reset ? planReset(node) : planPowerOn(node);
}

/** No step where nobody can reset the node. */
export function planReset({ id, generation, power }: PowerWish): Step[] {
  return power.reset ? [{ kind: 'resetPower', id, generation }] : [];
}

/** No step where nobody can switch the node on. */
export function planPowerOn({ id, generation, power }: PowerWish): Step[] {
  return power.on ? [{ kind: 'powerOn', id, generation }] : [];
}
