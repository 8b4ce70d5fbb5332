/** Permanent addresses and names. */
import type { HostEntry } from '../../network/index.ts';
import { type StepOf, same } from './steps.ts';

export interface HostSteps {
  setHosts: { hosts: HostEntry[] };
}

export interface HostsSeen {
  /** As last applied; null when not known, as after a start. */
  hosts: readonly HostEntry[] | null;
}

export function planHosts(nodes: readonly Required<HostEntry>[], seen: HostsSeen): StepOf<HostSteps>[] {
  if (same(nodes, seen.hosts, isHost)) return [];
  return [{ kind: 'setHosts', hosts: nodes.map(({ mac, ip, name, nat }) => ({ mac, ip, name, nat })) }];
}

function isHost(node: HostEntry, { mac, ip, name, nat }: HostEntry): boolean {
  return node.mac === mac && node.ip === ip && node.name === name && node.nat === nat;
}
