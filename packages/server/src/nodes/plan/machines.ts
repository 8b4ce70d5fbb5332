/** Virtual machines: one for each virtual node, and no other. */
import { isDeepStrictEqual } from 'node:util';
import type { Machine } from '../virtual/index.ts';
import type { StepOf } from './steps.ts';

export interface MachineSteps {
  /** Starts it, or adopts the one that runs; the next start is as `machine` says. */
  startMachine: { machine: Machine; ip: string; generation: number };
  removeMachine: { id: number };
}

export interface MachineWish {
  id: number;
  ip: string;
  generation: number;
  /** Null for a physical node; `unknown`: only a newer server knows what it is, so it is left as it is. */
  machine: Machine | 'unknown' | null;
}

export interface RunningMachine {
  /** Tells this power cycle of it from the next. */
  cycle: string;
  /** Unix time in seconds since when this server sees it. */
  since: number;
}

export interface MachinesSeen {
  /** Virtual machines that run, by node id. */
  machines: ReadonlyMap<number, RunningMachine>;
  /** Those that this server has started or adopted, by node id: it starts them again when they end, as they are here. */
  watched: ReadonlyMap<number, Machine>;
}

export function planMachines(nodes: readonly MachineWish[], seen: MachinesSeen): StepOf<MachineSteps>[] {
  const wanted = new Set(nodes.filter((node) => node.machine).map((node) => node.id));
  const surplus = [...seen.machines.keys()].filter((id) => !wanted.has(id));
  return [
    ...surplus.map((id) => ({ kind: 'removeMachine' as const, id })),
    ...nodes.flatMap(({ id, machine, ip, generation }): StepOf<MachineSteps>[] => {
      const runs = seen.machines.has(id) && isDeepStrictEqual(seen.watched.get(id), machine);
      return machine && machine !== 'unknown' && !runs
        ? [{ kind: 'startMachine', machine, ip, generation }]
        : [];
    }),
  ];
}

/**
 * True where another machine runs by now than the one to which a node's last boot was served: what is known of that boot tells nothing
 * of this one. Undefined, null: nobody can tell.
 */
export function isSucceeded(servedCycle: string | null, runningCycle: string | undefined): boolean {
  return servedCycle !== null && runningCycle !== undefined && servedCycle !== runningCycle;
}

/** True for a node whose machine does not run: its start is planned, and boots what the node should. */
export function awaitsStart({ id, machine }: MachineWish, seen: Pick<MachinesSeen, 'machines'>): boolean {
  return machine !== null && !seen.machines.has(id);
}
