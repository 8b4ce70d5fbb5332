import type { Network } from '../../../network/index.ts';
import type { ExposedSeen, ExposedSteps } from '../exposed.ts';
import type { Part } from '../steps.ts';

export function exposedPart({ exposed }: Pick<Network, 'exposed'>): Part<ExposedSeen, ExposedSteps> {
  return {
    observe: async () => ({ exposed: exposed.look() }),
    executors: { exposeNode: ({ id, ip, ports }) => exposed.set(id, ip, ports) },
  };
}
