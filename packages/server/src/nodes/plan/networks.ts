/** Networks beside walt-net: what no machine needs any more goes. A machine that starts gets what it needs by its own step. */
import { isDeepStrictEqual } from 'node:util';
import type { NodeTap } from '../../network/index.ts';
import { adapterOn } from '../virtual/index.ts';
import type { MachinesSeen, MachineWish } from './machines.ts';
import type { StepOf } from './steps.ts';

export interface NetworkSteps {
  /** And the networks on which nobody is then. */
  removeTaps: { taps: string[] };
}

export interface NetworksSeen {
  /** All that lead to such networks. */
  taps: readonly NodeTap[];
}

/** What a machine has open, it keeps until it starts again; and what it may open at its next start, as it is known so far. */
export function planNetworks(
  nodes: readonly MachineWish[],
  { taps, watched }: NetworksSeen & Pick<MachinesSeen, 'watched'>,
): StepOf<NetworkSteps>[] {
  if (taps.length === 0) return [];
  const machines = new Map(nodes.flatMap(({ id, machine }) => (machine ? [[id, machine]] : [])));
  const surplus = taps.filter(({ tap, node, isUsed }) => {
    const machine = machines.get(node);
    if (isUsed || !machine) return !isUsed;
    if (machine === 'unknown') return false;
    const isKnown = isDeepStrictEqual(watched.get(node), machine);
    return isKnown && !machine.networks.slice(1).some(({ name }) => adapterOn(machine, name).tap === tap);
  });
  return surplus.length === 0 ? [] : [{ kind: 'removeTaps', taps: surplus.map(({ tap }) => tap) }];
}
