import type { BootStep } from '@walt/contract';

/** What a node tells of its boot, in seconds since its kernel started: until now, and until each step. */
export interface ToldSteps {
  up: number;
  network: number;
  root: number;
  init: number;
}

/** Seconds by which clocks may differ: ours is set while it runs, and a node counts in hundredths. */
const TOLERANCE = 2;

/**
 * When a node took the steps that it tells of, in Unix seconds. Pure. Nothing where that cannot be: it would have taken them in
 * another order, or before `asked`, when it asked for its boot script.
 */
export function timesOf(
  { up, network, root, init }: ToldSteps,
  asked: number,
  now: number,
): Partial<Record<BootStep, number>> {
  const started = now - up;
  const isPossible = 0 <= network && network <= root && root <= init && init <= up;
  if (!isPossible || started < asked - TOLERANCE) return {};
  return { network: started + network, root: started + root, init: started + init };
}
