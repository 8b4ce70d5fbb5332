import type { Agents } from '../../agents.ts';
import type { PowerErrands } from '../../power/index.ts';
import type { NodeStore } from '../../store.ts';
import type { BootSteps, BootsSeen } from '../boots.ts';
import type { PowerSteps } from '../power.ts';
import type { Part } from '../steps.ts';
import type { Attempts } from './attempts.ts';

interface Deps {
  agents: Pick<Agents, 'orderReboot' | 'connected' | 'heard'>;
  errands: Pick<PowerErrands, 'carryOut'>;
  store: Pick<NodeStore, 'byId' | 'boots'>;
  attempts: Attempts;
}

type Seen = Omit<BootsSeen, 'machines'>;

export function bootsPart({ agents, errands, store, attempts }: Deps): Part<Seen, BootSteps & PowerSteps> {
  const since = Date.now() / 1000;

  async function switchPower({ id, generation }: PowerSteps['powerOn'], act: 'reset' | 'on'): Promise<void> {
    const node = await store.byId(id);
    // It was removed just now.
    if (!node) return;
    attempts.note(id, generation, 'power');
    if (node.served_generation === generation) await store.boots.expectUnlessOrdered(id, 'timeout');
    store.boots.restarted(id);
    await errands.carryOut(node, act);
  }
  return {
    observe: async () => ({
      agents: agents.connected(),
      heard: agents.heard(),
      since,
      attempts: attempts.all(),
      lastSteps: store.boots.lastSteps,
    }),
    executors: {
      orderReboot: async ({ id, generation }) => {
        if (!agents.orderReboot(id)) return;
        attempts.note(id, generation, 'order');
        store.boots.restarted(id);
      },
      resetPower: (input) => switchPower(input, 'reset'),
      powerOn: (input) => switchPower(input, 'on'),
    },
  };
}
