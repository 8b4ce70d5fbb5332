import type { Network } from '../../../network/index.ts';
import type { Exposed, ExposedSeen, ExposedSteps } from '../exposed.ts';
import type { Part } from '../steps.ts';

export function exposedPart({ exposed }: Pick<Network, 'exposed'>): Part<ExposedSeen, ExposedSteps> {
  const done = new Map<number, Exposed>();
  return {
    observe: async () => ({ exposed: done }),
    executors: {
      exposeNode: async ({ id, ip, ports }) => {
        await exposed.set(id, ip, ports);
        if (ports.length > 0) done.set(id, { ip, ports });
        else done.delete(id);
      },
    },
  };
}
