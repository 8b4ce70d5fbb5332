import type { Network } from '../../../network/index.ts';
import type { NetworkSteps, NetworksSeen } from '../networks.ts';
import type { Part } from '../steps.ts';

export function networksPart({ others }: Pick<Network, 'others'>): Part<NetworksSeen, NetworkSteps> {
  return {
    observe: async () => ({ taps: await others.look() }),
    executors: { removeTaps: ({ taps }) => others.remove(taps) },
  };
}
