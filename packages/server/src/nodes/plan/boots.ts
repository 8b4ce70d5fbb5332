/** Boots: each node is brought to the generation that it should run. All times in seconds of Unix time. */
import {
  awaitsStart,
  isSucceeded,
  type MachinesSeen,
  type MachineWish,
  type RunningMachine,
} from './machines.ts';
import { type PowerSteps, type PowerWish, planPower, planPowerOn } from './power.ts';
import type { StepOf } from './steps.ts';

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
  /** Of the machine to which it was served; null: not known. */
  servedCycle: string | null;
  bootedAt: number | null;
  /** When the boot that should run was ordered; null: not known. */
  orderedAt: number | null;
  /** A boot that has done no step for this time, and is not up, is retried, that many times. Infinity: never. */
  timeout: number;
  retries: number;
}

export interface BootsSeen extends Pick<MachinesSeen, 'machines'> {
  /** Agents that wait for an order, by node id: since when. */
  agents: ReadonlyMap<number, number>;
  /** When the last question of each agent ended, by node id. */
  heard: ReadonlyMap<number, number>;
  /** When this server began to watch: what happened before may not have been heard. */
  since: number;
  /** When the boots of nodes that are not up have done their last step, by node id. */
  lastSteps: ReadonlyMap<number, number>;
  /** Reboots that are under way, by node id. */
  attempts: ReadonlyMap<number, Attempt>;
}

/** The last thing that was done to bring a node to a generation. */
export interface Attempt {
  generation: number;
  how: 'start' | 'order' | 'power';
  at: number;
  /** When the first of its kind was done: orders are repeated, but not for ever. */
  since: number;
  /** How often its power was switched for this generation. */
  switched: number;
}

/**
 * `deaf`: it does not hear its order, and nobody has its power. `stuck`: its boot does not come up, and nothing more is tried.
 * `unknown`: only a newer server knows what machine it is.
 */
export type BootTrouble = 'deaf' | 'stuck' | 'unknown';

type Step = StepOf<BootSteps & PowerSteps>;

/** At most one step: an order where the agent listens, its power where somebody has it and there is no better way. */
export function planBoot(node: BootWish, seen: BootsSeen, now: number): Step[] {
  if (node.machine === 'unknown' || awaitsStart(node, seen) || isUp(node, seen)) return [];
  const attempt = attemptOf(node, seen);
  if (isServed(node)) return isOverdue(node, seen, now) ? retry(node, attempt) : [];
  return attempt ? goOn(node, attempt, seen, now) : begin(node, seen, now);
}

/** What somebody must be told, since no step leads on. */
export function troubleOf(node: BootWish, seen: BootsSeen, now: number): BootTrouble | undefined {
  if (node.machine === 'unknown') return 'unknown';
  if (awaitsStart(node, seen) || isUp(node, seen)) return undefined;
  const attempt = attemptOf(node, seen);
  const wasSwitched = attempt !== undefined && attempt.how !== 'order';
  if (isServed(node) || wasSwitched)
    return isOverdue(node, seen, now) && retry(node, attempt).length === 0 ? 'stuck' : undefined;
  if (node.power.reset || node.power.on) return undefined;
  // It never had an agent that could hear.
  if (node.served === null) return 'deaf';
  if (listens(node, seen, now)) return undefined;
  const onItsWay = Math.max(attempt?.at ?? 0, node.bootedAt === null ? (node.servedAt ?? 0) : 0);
  if (onItsWay > 0 && now - onItsWay <= node.timeout) return undefined;
  return mayHaveBegun(node, seen, now) ? undefined : 'deaf';
}

/** Nothing was done yet for what the node should run. */
function begin(node: BootWish, seen: BootsSeen, now: number): Step[] {
  if (!node.hard || !node.power.reset) {
    if (seen.agents.has(node.id)) return order(node);
    // It is between two questions, or had no time yet to ask this server: its power is not cut while it may be writing.
    if (node.served !== null && listens(node, seen, now)) return [];
  }
  // Whoever still asks was not reset.
  if (mayHaveBegun(node, seen, now) && !seen.agents.has(node.id)) return [];
  // A machine that never booted from here may be at work for somebody else.
  return node.machine === null && node.served === null && !node.hard ? planPowerOn(node) : planPower(node);
}

/** Something was done, and the node has not asked for its boot since. */
function goOn(node: BootWish, attempt: Attempt, seen: BootsSeen, now: number): Step[] {
  if (attempt.how !== 'order') return isOverdue(node, seen, now) ? retry(node, attempt) : [];
  const listensSince = seen.agents.get(node.id);
  const unheard = listensSince !== undefined && listensSince > attempt.at;
  // Real firmware takes minutes until it asks: a silent board is on its way, a machine of ours is not.
  const isOver =
    node.machine === null && !unheard
      ? now - attempt.at > node.timeout
      : now - attempt.since > ORDER_TIMEOUT && node.power.reset;
  const steps = isOver ? retry(node, attempt) : [];
  if (steps.length > 0) return steps;
  return unheard && now - attempt.at >= ORDER_PAUSE ? order(node) : [];
}

function retry(node: BootWish, attempt: Attempt | undefined): Step[] {
  return (attempt?.switched ?? 0) < node.retries ? planPower(node) : [];
}

function order({ id, generation }: BootWish): Step[] {
  return [{ kind: 'orderReboot', id, generation }];
}

function attemptOf({ id, generation }: BootWish, { attempts }: BootsSeen): Attempt | undefined {
  const last = attempts.get(id);
  return last?.generation === generation ? last : undefined;
}

function isServed({ served, generation }: BootWish): boolean {
  return served === generation;
}

function isUp(node: BootWish, seen: BootsSeen): boolean {
  if (!isServed(node) || newerMachine(node, seen)) return false;
  return node.bootedAt !== null || node.servedAt === null;
}

/** The one that runs, if it has not asked for its boot yet. */
function newerMachine({ id, servedCycle }: BootWish, { machines }: BootsSeen): RunningMachine | undefined {
  const machine = machines.get(id);
  return isSucceeded(servedCycle, machine?.cycle) ? machine : undefined;
}

/**
 * The boot has had its time since it was served and since it has done a step, since its machine runs, since its power was switched,
 * and since this server listens.
 */
function isOverdue(node: BootWish, seen: BootsSeen, now: number): boolean {
  const servedAt = isServed(node) ? Math.max(node.servedAt ?? 0, seen.lastSteps.get(node.id) ?? 0) : 0;
  const since = newerMachine(node, seen)?.since ?? 0;
  return now - Math.max(servedAt, since, attemptOf(node, seen)?.at ?? 0, seen.since) > node.timeout;
}

/** An agent waits, or is between two questions, or had no time yet to ask this server. */
function listens({ id }: BootWish, seen: BootsSeen, now: number): boolean {
  return seen.agents.has(id) || now - Math.max(seen.heard.get(id) ?? 0, seen.since) <= AGENT_SILENCE;
}

/** What an earlier server did for this boot, nobody remembers: the node has its time before it counts as silent. */
function mayHaveBegun(node: BootWish, { since }: BootsSeen, now: number): boolean {
  const isOlder = node.machine === null ? (node.orderedAt ?? 0) < since : node.served === null;
  return isOlder && now - since <= node.timeout;
}
