/**
 * From what should be and what is, the steps that lead from one to the other. Pure: the same code serves start-up,
 * crash recovery and normal operation. Each concern has a planner of its own; this file puts them together.
 */
import {
  type BootSteps,
  type BootsSeen,
  type BootTrouble,
  type BootWish,
  planBoot,
  troubleOf,
} from './boots.ts';
import { type ExportSteps, type ExportsSeen, type ExportWish, planExports } from './exports.ts';
import { type ExposedSeen, type ExposedSteps, type ExposedWish, planExposed } from './exposed.ts';
import { type GatewaySeen, type GatewaySteps, type GatewayWish, planGateway } from './gateway.ts';
import { type HostSteps, type HostsSeen, planHosts } from './hosts.ts';
import { type MachineSteps, type MachinesSeen, planMachines } from './machines.ts';
import { type NetworkSteps, type NetworksSeen, planNetworks } from './networks.ts';
import type { PowerSteps } from './power.ts';
import { planRemoval, type RemovalSteps } from './removed.ts';
import type { StepOf } from './steps.ts';

/** What the database says should be. */
export interface Desired {
  nodes: readonly DesiredNode[];
  /** Ids of nodes that were removed, and of which something may still be stored. */
  removed: readonly number[];
}

export interface DesiredNode extends ExportWish, BootWish, GatewayWish, ExposedWish {}

export interface Observed
  extends HostsSeen,
    ExportsSeen,
    MachinesSeen,
    BootsSeen,
    GatewaySeen,
    NetworksSeen,
    ExposedSeen {}

/** Kinds of steps, and what each needs. An executor exists for each (world/). */
export interface StepInputs
  extends HostSteps,
    ExportSteps,
    GatewaySteps,
    ExposedSteps,
    NetworkSteps,
    MachineSteps,
    BootSteps,
    PowerSteps,
    RemovalSteps {}

export type Step = StepOf<StepInputs>;

/**
 * Steps in the order in which they are to be taken: addresses and exports exist before a machine asks for them. `now` in seconds
 * of Unix time.
 */
export function plan({ nodes, removed }: Desired, observed: Observed, now: number): Step[] {
  return [
    ...planHosts(nodes, observed),
    ...planExports(nodes, observed),
    ...planGateway(nodes, observed),
    ...planExposed(nodes, observed),
    ...planMachines(nodes, observed),
    ...planNetworks(nodes, observed),
    ...nodes.flatMap((node) => planBoot(node, observed, now)),
    ...planRemoval(removed, observed),
  ];
}

/** Nodes that no step brings further, by id. */
export function troubles({ nodes }: Desired, observed: Observed, now: number): Map<number, BootTrouble> {
  return new Map(
    nodes.flatMap((node): [number, BootTrouble][] => {
      const trouble = troubleOf(node, observed, now);
      return trouble ? [[node.id, trouble]] : [];
    }),
  );
}

/** Node that a step is about, if it is about one alone. */
export function nodeOf(step: Step): number | undefined {
  switch (step.kind) {
    case 'setHosts':
    case 'setExports':
    case 'setRouted':
    case 'removeTaps':
      return undefined;
    case 'startMachine':
      return step.machine.id;
    case 'exposeNode':
    case 'removeMachine':
    case 'orderReboot':
    case 'resetPower':
    case 'powerOn':
    case 'forgetNode':
      return step.id;
  }
}

/** Whether these nodes depend on it, among others. */
export function concerns(step: Step, ids: readonly number[]): boolean {
  if (step.kind === 'removeTaps') return false;
  if (step.kind === 'setRouted') return step.nodes.some(({ id }) => ids.includes(id));
  const node = nodeOf(step);
  return node === undefined || ids.includes(node);
}
