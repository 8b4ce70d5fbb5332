import type { Engine } from '../../engine/index.ts';
import { machineOf } from '../../virtual/index.ts';
import type { PowerSource } from '../source.ts';

/** The power of virtual nodes. They are switched on and off by what the database says should be: that they are there. */
export function qemuPower(machines: Pick<Engine, 'reset' | 'running'>): PowerSource {
  return {
    ...{ kind: 'virtual machine', name: null, port: 'none', shared: false, remote: false },
    has: ({ type }) => type === 'virtual',
    reset: (node) => machines.reset({ machine: machineOf(node), ip: node.ip }),
    state: async ({ id }) => ((await machines.running([id])).has(id) ? 'on' : 'off'),
    cycle: async ({ id }) => (await machines.running([id])).get(id),
  };
}
