import type { Engine } from '../../engine/index.ts';
import type { NodeStore } from '../../store.ts';
import type { Machine } from '../../virtual/index.ts';
import type { MachineSteps, MachinesSeen, RunningMachine } from '../machines.ts';
import type { Part } from '../steps.ts';
import type { Attempts } from './attempts.ts';

interface Deps {
  machines: Pick<Engine, 'running' | 'start' | 'remove'>;
  store: Pick<NodeStore, 'boots'>;
  attempts: Attempts;
}

export function machinesPart({ machines, store, attempts }: Deps): Part<MachinesSeen, MachineSteps> {
  const watched = new Map<number, Machine>();
  let seen: ReadonlyMap<number, RunningMachine> = new Map();
  return {
    async observe() {
      const now = Date.now() / 1000;
      const before = seen;
      const running = [...(await machines.running())];
      seen = new Map(
        running.map(([id, cycle]) => {
          const last = before.get(id);
          return [id, last?.cycle === cycle ? last : { cycle, since: now }];
        }),
      );
      return { machines: seen, watched };
    },
    executors: {
      startMachine: async ({ machine, ip, generation }) => {
        const runs = (await machines.running([machine.id])).has(machine.id);
        if (!runs) {
          attempts.note(machine.id, generation, 'start');
          await store.boots.expectUnlessOrdered(machine.id, 'start');
          store.boots.restarted(machine.id);
        }
        await machines.start({ machine, ip });
        watched.set(machine.id, machine);
      },
      removeMachine: async ({ id }) => {
        await machines.remove(id);
        attempts.forget(id);
        watched.delete(id);
      },
    },
  };
}
