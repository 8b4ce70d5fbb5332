/** A node, and a world that is as it should be for it, for tests of the planners. */
import type { Machine } from '../virtual/index.ts';
import type { DesiredNode, Observed } from './plan.ts';

export const NOW = 10_000;

export const machine: Machine = {
  id: 1,
  model: 'pc-x86-64',
  mac: '52:54:00:00:00:01',
  cpuCores: 2,
  ramMiB: 512,
  disks: [],
  networks: [{ name: 'walt-net' }],
  place: { features: [] },
  logsConsole: false,
};

export const node: DesiredNode = {
  id: 1,
  mac: machine.mac,
  ip: '10.73.0.2',
  name: 'vnode1',
  nat: false,
  exposed: [],
  machine,
  power: { reset: true, on: false },
  generation: 1,
  hard: false,
  served: 1,
  servedAt: NOW - 60,
  servedCycle: 'first',
  bootedAt: NOW - 40,
  orderedAt: NOW - 30,
  timeout: 180,
  retries: 9,
  persist: [{ id: 5, file: '/state/persist/alice/1', ip: '10.73.0.2' }],
  tree: null,
};

export const hosts = [{ mac: node.mac, ip: node.ip, name: node.name, nat: false }];
export const exports = [{ id: 5, file: '/state/persist/alice/1', ip: node.ip }];

export const settled: Observed = {
  machines: new Map([[1, { cycle: 'first', since: NOW - 60 }]]),
  watched: new Map([[1, machine]]),
  hosts,
  exports,
  trees: [],
  routed: [],
  taps: [],
  exposed: new Map(),
  agents: new Map([[1, NOW - 15]]),
  heard: new Map([[1, NOW - 15]]),
  since: NOW - 1000,
  lastSteps: new Map(),
  attempts: new Map(),
};
