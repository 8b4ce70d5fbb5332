/** Boots: each node is brought to the generation that it should run. All times in seconds of Unix time. */
import { awaitsStart, type MachinesSeen, type MachineWish } from './machines.ts';
import { type PowerSteps, type PowerWish, planReset } from './power.ts';
import type { StepOf } from './steps.ts';

/** A node with a boot that has not come up is reset after this time, that many times. */
export const BOOT_TIMEOUT = 180;
export const BOOT_RETRIES = 9;
/** A node that was told to reboot and goes on talking after this time is reset. */
export const ORDER_TIMEOUT = 45;
/** One that asks again after this time did not hear the order: it gets it once more. */
export const ORDER_PAUSE = 5;
/** An agent asks again as soon as it is answered, and after a second where nobody answers: one that is silent for longer is gone. */
export const AGENT_SILENCE = 10;

export interface BootSteps {
  orderReboot: { id: number; generation: number };
}

export interface BootWish extends MachineWish, PowerWish {
  hard: boolean;
  served: number | null;
  servedAt: number | null;
  bootedAt: number | null;
}

export interface BootsSeen extends Pick<MachinesSeen, 'machines'> {
  /** Agents that wait for an order, by node id: since when. */
  agents: ReadonlyMap<number, number>;
  /** When the last question of each agent ended, by node id. */
  heard: ReadonlyMap<number, number>;
  /** When this server began to watch: what happened before may not have been heard. */
  since: number;
  /** Reboots that are under way, by node id. */
  attempts: ReadonlyMap<number, Attempt>;
}

/** The last thing that was done to bring a node to a generation. */
export interface Attempt {
  generation: number;
  how: 'start' | 'order' | 'reset';
  at: number;
  /** When the first of its kind was done: orders are repeated, but not for ever. */
  since: number;
  /** Resets for this generation so far. */
  resets: number;
}

type Step = StepOf<BootSteps & PowerSteps>;

/** At most one step: an order where the agent listens, a reset where that is possible and there is no better way. */
export function planBoot(node: BootWish, seen: BootsSeen, now: number): Step[] {
  if (awaitsStart(node, seen)) return [];
  const last = seen.attempts.get(node.id);
  const attempt = last?.generation === node.generation ? last : undefined;
  const isReached = node.served === node.generation;
  if (!isReached) return attempt ? goOn(node, attempt, seen, now) : begin(node, seen, now);
  if (node.bootedAt !== null || node.servedAt === null) return [];
  return now - Math.max(node.servedAt, attempt?.at ?? 0, seen.since) > BOOT_TIMEOUT
    ? retry(node, attempt)
    : [];
}

/** Nothing was done yet for what the node should run. */
function begin(node: BootWish, seen: BootsSeen, now: number): Step[] {
  const reset = planReset(node);
  if (!node.hard || reset.length === 0) {
    if (seen.agents.has(node.id)) return order(node);
    // It is between two questions: its power is not cut while it may be writing.
    if (now - (seen.heard.get(node.id) ?? 0) <= AGENT_SILENCE) return [];
  }
  // A first boot that an earlier server started has its time before it counts as stuck, and agents have time to ask.
  const patience = node.served === null ? BOOT_TIMEOUT : node.hard ? 0 : AGENT_SILENCE;
  return patience > 0 && now - seen.since <= patience ? [] : reset;
}

/** Something was done, and the node has not asked for its boot since. */
function goOn(node: BootWish, attempt: Attempt, seen: BootsSeen, now: number): Step[] {
  if (attempt.how !== 'order') return now - attempt.at > BOOT_TIMEOUT ? retry(node, attempt) : [];
  if (node.power.reset && now - attempt.since > ORDER_TIMEOUT) return retry(node, attempt);
  const listensSince = seen.agents.get(node.id);
  const unheard = listensSince !== undefined && listensSince > attempt.at;
  return unheard && now - attempt.at >= ORDER_PAUSE ? order(node) : [];
}

function order({ id, generation }: BootWish): Step[] {
  return [{ kind: 'orderReboot', id, generation }];
}

function retry(node: BootWish, attempt: Attempt | undefined): Step[] {
  return (attempt?.resets ?? 0) < BOOT_RETRIES ? planReset(node) : [];
}
