/** What should be, what is, and how the one becomes the other: planners by concern, and what carries out their steps. */

export type { BootTrouble } from './boots.ts';
export { desiredState, persistImage } from './desired.ts';
export { isSucceeded } from './machines.ts';
export { concerns, plan, type Step, troubles } from './plan.ts';
export { type Failure, Reconciler } from './reconciler.ts';
export { createWorld, type LinesOfNodes } from './world/index.ts';
