import type { Network } from '../../../network/index.ts';
import type { GatewaySeen, GatewaySteps, RoutedNode } from '../gateway.ts';
import type { Part } from '../steps.ts';

export function gatewayPart(network: Pick<Network, 'setRouted'>): Part<GatewaySeen, GatewaySteps> {
  let last: RoutedNode[] | null = null;
  return {
    observe: async () => ({ routed: last }),
    executors: {
      setRouted: async ({ nodes }) => {
        await network.setRouted(nodes.map(({ ip }) => ip));
        last = nodes;
      },
    },
  };
}
