/** Which nodes reach what the server reaches. */
import { type StepOf, same } from './steps.ts';

export interface GatewaySteps {
  setRouted: { nodes: RoutedNode[] };
}

export interface RoutedNode {
  id: number;
  ip: string;
}

export interface GatewayWish extends RoutedNode {
  nat: boolean;
}

export interface GatewaySeen {
  /** As last applied; null when not known, as after a start. */
  routed: readonly RoutedNode[] | null;
}

export function planGateway(nodes: readonly GatewayWish[], seen: GatewaySeen): StepOf<GatewaySteps>[] {
  const routed = nodes.filter(({ nat }) => nat);
  if (same(routed, seen.routed, (node, { id, ip }) => node.id === id && node.ip === ip)) return [];
  return [{ kind: 'setRouted', nodes: routed.map(({ id, ip }) => ({ id, ip })) }];
}
