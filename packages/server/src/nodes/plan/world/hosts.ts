import type { HostEntry, Network } from '../../../network/index.ts';
import type { HostSteps, HostsSeen } from '../hosts.ts';
import type { Part } from '../steps.ts';

export function hostsPart(network: Pick<Network, 'setHosts'>): Part<HostsSeen, HostSteps> {
  let last: HostEntry[] | null = null;
  return {
    observe: async () => ({ hosts: last }),
    executors: {
      setHosts: async ({ hosts }) => {
        await network.setHosts(hosts);
        last = hosts;
      },
    },
  };
}
