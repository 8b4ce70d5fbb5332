import type { Agents } from '../../agents.ts';
import type { Power } from '../../power/index.ts';
import type { NodeStore } from '../../store.ts';
import type { BootSteps, BootsSeen } from '../boots.ts';
import type { PowerSteps } from '../power.ts';
import type { Part } from '../steps.ts';
import type { Attempts } from './attempts.ts';

interface Deps {
  agents: Pick<Agents, 'orderReboot' | 'connected' | 'heard'>;
  power: Pick<Power, 'reset'>;
  store: Pick<NodeStore, 'byId'>;
  attempts: Attempts;
}

type Seen = Omit<BootsSeen, 'machines'>;

export function bootsPart({ agents, power, store, attempts }: Deps): Part<Seen, BootSteps & PowerSteps> {
  const since = Date.now() / 1000;
  return {
    observe: async () => ({
      agents: agents.connected(),
      heard: agents.heard(),
      since,
      attempts: attempts.all(),
    }),
    executors: {
      orderReboot: async ({ id, generation }) => {
        if (agents.orderReboot(id)) attempts.note(id, generation, 'order');
      },
      resetPower: async ({ id, generation }) => {
        const node = await store.byId(id);
        // It was removed just now.
        if (!node) return;
        attempts.note(id, generation, 'reset');
        await power.reset(node);
      },
    },
  };
}
