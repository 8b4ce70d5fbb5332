import type { Network } from '../../../network/index.ts';
import type { NodeStore } from '../../store.ts';
import { adapterOn, type Machine, onTap, tapName, type VirtualMachines } from '../../virtual/index.ts';
import type { MachineSteps, MachinesSeen } from '../machines.ts';
import type { Part } from '../steps.ts';
import type { Attempts } from './attempts.ts';

interface Deps {
  network: Pick<Network, 'ensureTap' | 'removeTap' | 'others'>;
  machines: Pick<VirtualMachines, 'running' | 'ensure' | 'remove'>;
  store: Pick<NodeStore, 'boots'>;
  attempts: Attempts;
}

export function machinesPart({ network, machines, store, attempts }: Deps): Part<MachinesSeen, MachineSteps> {
  const watched = new Map<number, Machine>();
  return {
    observe: async () => ({ machines: new Set(await machines.running()), watched }),
    executors: {
      startMachine: async ({ machine, ip, generation }) => {
        const runs = (await machines.running()).includes(machine.id);
        if (!runs) {
          attempts.note(machine.id, generation, 'start');
          await store.boots.expectUnlessOrdered(machine.id, 'start');
          store.boots.restarted(machine.id);
        }
        const [waltNet, ...others] = machine.networks;
        await network.ensureTap(tapName(machine.id), { mac: machine.mac, ip }, waltNet ?? {});
        for (const other of others) {
          const { tap, mac } = adapterOn(machine, other.name);
          await network.others.connect(tap, other, mac);
        }
        await machines.ensure(onTap(machine));
        watched.set(machine.id, machine);
      },
      removeMachine: async ({ id }) => {
        await machines.remove(id);
        await network.removeTap(tapName(id));
        await network.others.removeNode(id);
        attempts.forget(id);
        watched.delete(id);
      },
    },
  };
}
