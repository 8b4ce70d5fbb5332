/**
 * From what should be and what is, the steps that lead from one to the other. Pure: the same code serves start-up,
 * crash recovery and normal operation. All times in seconds of Unix time.
 */
import { isReservedNodeName } from '@walt/contract';
import type { HostEntry, PersistExport } from '../network/index.ts';
import type { TreeImage } from './store.ts';
import type { VirtualMachine } from './virtual/index.ts';

/** A node with a boot that has not come up is reset after this time, that many times. */
export const BOOT_TIMEOUT = 180;
export const BOOT_RETRIES = 9;
/** A node that was told to reboot and goes on talking after this time is reset. */
export const ORDER_TIMEOUT = 45;
/** One that asks again after this time did not hear the order: it gets it once more. */
export const ORDER_PAUSE = 5;
/** An agent asks again as soon as it is answered, and after a second where nobody answers: one that is silent for longer is gone. */
export const AGENT_SILENCE = 10;

export type Machine = Omit<VirtualMachine, 'tap'>;

/** What the database says should be. */
export interface Desired {
  nodes: readonly DesiredNode[];
  /** Ids of nodes that were removed, and of which something may still be stored. */
  removed: readonly number[];
}

export interface DesiredNode {
  id: number;
  mac: string;
  ip: string;
  name: string;
  /** Null for a physical node: it has its own power. */
  machine: Machine | null;
  generation: number;
  hard: boolean;
  served: number | null;
  servedAt: number | null;
  bootedAt: number | null;
  /** What it may mount as /persist: the image of its owner, and the one that its running boot has. */
  persist: readonly { id: number; file: string }[];
  /** The image whose tree it mounts; null when its running boot mounts none. */
  tree: TreeImage | null;
}

/** An image's tree for one node, under all the paths that images made for WalT know. */
export interface TreeWish {
  image: TreeImage;
  ip: string;
  paths: readonly string[];
}

export interface Observed {
  /** Virtual machines that run, by node id. */
  machines: ReadonlySet<number>;
  /** Those that this server has started or adopted: it starts them again when they end. */
  watched: ReadonlySet<number>;
  /** As last applied; null when not known, as after a start. */
  hosts: readonly HostEntry[] | null;
  exports: readonly PersistExport[] | null;
  trees: readonly TreeWish[] | null;
  /** Agents that wait for an order, by node id: since when. */
  agents: ReadonlyMap<number, number>;
  /** When the last question of each agent ended, by node id. */
  heard: ReadonlyMap<number, number>;
  /** When this server began to watch: what happened before may not have been heard. */
  since: number;
  /** Reboots that are under way, by node id. */
  attempts: ReadonlyMap<number, Attempt>;
}

/** The last thing that was done to bring a node to a generation. */
export interface Attempt {
  generation: number;
  how: 'start' | 'order' | 'reset';
  at: number;
  /** When the first of its kind was done: orders are repeated, but not for ever. */
  since: number;
  /** Resets for this generation so far. */
  resets: number;
}

/** Kinds of steps, and what each needs. An executor exists for each (world.ts). */
export interface StepInputs {
  setHosts: { hosts: HostEntry[] };
  setExports: { exports: PersistExport[]; trees: TreeWish[] };
  /** Starts it, or adopts the one that runs. */
  startMachine: { machine: Machine; ip: string; generation: number };
  removeMachine: { id: number };
  resetMachine: { machine: Machine; generation: number };
  orderReboot: { id: number; generation: number };
  /** Deletes what is stored of a node that was removed. */
  forgetNode: { id: number };
}

export type StepOf<Kind extends keyof StepInputs> = { [K in Kind]: { kind: K } & StepInputs[K] }[Kind];
export type Step = StepOf<keyof StepInputs>;

/** Steps in the order in which they are to be taken: addresses and exports exist before a machine asks for them. */
export function plan({ nodes, removed }: Desired, observed: Observed, now: number): Step[] {
  return [
    ...planHosts(nodes, observed),
    ...planExports(nodes, observed),
    ...planMachines(nodes, observed),
    ...nodes.flatMap((node) => planBoot(node, observed, now)),
    // Its machine goes first: what runs still writes.
    ...removed.filter((id) => !observed.machines.has(id)).map((id): Step => ({ kind: 'forgetNode', id })),
  ];
}

function planHosts(desired: readonly DesiredNode[], observed: Observed): Step[] {
  const hosts = desired.map(({ mac, ip, name }) => ({ mac, ip, name }));
  return same(hosts, observed.hosts) ? [] : [{ kind: 'setHosts', hosts }];
}

function planExports(desired: readonly DesiredNode[], observed: Observed): Step[] {
  const exports = desired.flatMap((node) => node.persist.map(({ id, file }) => ({ id, file, ip: node.ip })));
  const trees = desired.flatMap((node) =>
    node.tree ? [{ image: node.tree, ip: node.ip, paths: treePaths(node) }] : [],
  );
  return same(exports, observed.exports) && same(trees, observed.trees)
    ? []
    : [{ kind: 'setExports', exports, trees }];
}

/** As the Python WalT names nodes' folders. */
function treePaths({ ip, mac, name }: DesiredNode): string[] {
  // A name that an older server allowed may be another node's address.
  const keys = [ip, mac, mac.replaceAll(':', '-'), ...(isReservedNodeName(name) ? [] : [name])];
  return keys.map((key) => `/var/lib/walt/nodes/${key}/fs`);
}

function planMachines(desired: readonly DesiredNode[], observed: Observed): Step[] {
  const wanted = new Set(desired.filter((node) => node.machine).map((node) => node.id));
  const surplus = [...observed.machines].filter((id) => !wanted.has(id));
  return [
    ...surplus.map((id): Step => ({ kind: 'removeMachine', id })),
    ...desired.flatMap(({ id, machine, ip, generation }): Step[] => {
      const runs = observed.machines.has(id) && observed.watched.has(id);
      return machine && !runs ? [{ kind: 'startMachine', machine, ip, generation }] : [];
    }),
  ];
}

/** At most one step: an order where the agent listens, a reset where there is a machine and no better way. */
function planBoot(node: DesiredNode, observed: Observed, now: number): Step[] {
  const { machine, generation } = node;
  // A machine that is only just started boots what it should.
  if (machine && !observed.machines.has(machine.id)) return [];
  const last = observed.attempts.get(node.id);
  const attempt = last?.generation === generation ? last : undefined;
  const reset: Step[] = machine ? [{ kind: 'resetMachine', machine, generation }] : [];

  if (node.served !== generation) {
    const listensSince = observed.agents.get(node.id);
    const order: Step[] = [{ kind: 'orderReboot', id: node.id, generation }];
    if (!attempt) {
      if (!(node.hard && machine)) {
        if (listensSince !== undefined) return order;
        // It is between two questions: its power is not cut while it may be writing.
        if (now - (observed.heard.get(node.id) ?? 0) <= AGENT_SILENCE) return [];
      }
      // A first boot that an earlier server started has its time before it counts as stuck, and agents have time to ask.
      const patience = node.served === null ? BOOT_TIMEOUT : node.hard ? 0 : AGENT_SILENCE;
      return patience > 0 && now - observed.since <= patience ? [] : reset;
    }
    if (attempt.how !== 'order') return now - attempt.at > BOOT_TIMEOUT ? retry(attempt, reset) : [];
    if (machine && now - attempt.since > ORDER_TIMEOUT) return retry(attempt, reset);
    const unheard = listensSince !== undefined && listensSince > attempt.at;
    return unheard && now - attempt.at >= ORDER_PAUSE ? order : [];
  }
  if (node.bootedAt !== null || node.servedAt === null) return [];
  return now - Math.max(node.servedAt, attempt?.at ?? 0, observed.since) > BOOT_TIMEOUT
    ? retry(attempt, reset)
    : [];
}

function retry(attempt: Attempt | undefined, reset: Step[]): Step[] {
  return (attempt?.resets ?? 0) < BOOT_RETRIES ? reset : [];
}

function same(a: readonly object[], b: readonly object[] | null): boolean {
  return b !== null && JSON.stringify(a) === JSON.stringify(b);
}
