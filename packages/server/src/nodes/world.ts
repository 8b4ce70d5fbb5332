/** What carries out the planner's steps, and remembers what was done: the one place where nodes/ touches the world. */
import { rm } from 'node:fs/promises';
import type { SshAuthority } from '../access/index.ts';
import type { Trees } from '../boot/index.ts';
import type { HostEntry, Network, PersistExport, TreeExport } from '../network/index.ts';
import { namesIn, type Paths } from '../platform/index.ts';
import type { Agents } from './agents.ts';
import { persistImage } from './desired.ts';
import type { Attempt, Machine, Observed, StepInputs, StepOf, TreeWish } from './planner.ts';
import type { NodeStore } from './store.ts';
import type { VirtualMachines } from './virtual/index.ts';

/** A step that the planner knows and nobody can carry out does not compile. */
type Executors = { [Kind in keyof StepInputs]: (input: StepInputs[Kind]) => Promise<void> };

export class World {
  readonly #network: Pick<Network, 'setHosts' | 'setExports' | 'ensureTap' | 'removeTap'>;
  readonly #machines: VirtualMachines;
  readonly #agents: Agents;
  readonly #paths: Paths;
  readonly #ssh: Pick<SshAuthority, 'removeNode'>;
  readonly #trees: Pick<Trees, 'of'>;
  readonly #store: Pick<NodeStore, 'noteForgotten'>;
  readonly #since = Date.now() / 1000;
  readonly #watched = new Set<number>();
  readonly #attempts = new Map<number, Attempt>();
  #hosts: HostEntry[] | null = null;
  #exports: PersistExport[] | null = null;
  #wishes: TreeWish[] | null = null;

  constructor(deps: {
    network: Pick<Network, 'setHosts' | 'setExports' | 'ensureTap' | 'removeTap'>;
    machines: VirtualMachines;
    agents: Agents;
    paths: Paths;
    ssh: Pick<SshAuthority, 'removeNode'>;
    trees: Pick<Trees, 'of'>;
    store: Pick<NodeStore, 'noteForgotten'>;
  }) {
    this.#network = deps.network;
    this.#machines = deps.machines;
    this.#agents = deps.agents;
    this.#paths = deps.paths;
    this.#ssh = deps.ssh;
    this.#trees = deps.trees;
    this.#store = deps.store;
  }

  async observe(): Promise<Observed> {
    return {
      machines: new Set(await this.#machines.running()),
      watched: this.#watched,
      hosts: this.#hosts,
      exports: this.#exports,
      trees: this.#wishes,
      agents: this.#agents.connected(),
      heard: this.#agents.heard(),
      since: this.#since,
      attempts: this.#attempts,
    };
  }

  carryOut<Kind extends keyof StepInputs>(step: StepOf<Kind>): Promise<void> {
    const execute: Executors[Kind] = this.#executors[step.kind];
    return execute(step);
  }

  readonly #executors: Executors = {
    setHosts: async ({ hosts }) => {
      await this.#network.setHosts(hosts);
      this.#hosts = hosts;
    },
    setExports: async ({ exports, trees }) => {
      const ready: TreeExport[] = [];
      const failures: unknown[] = [];
      for (const { image, ip, paths } of trees) {
        try {
          const tree = await this.#trees.of(image);
          if (tree) ready.push({ tree, ip, paths });
        } catch (error) {
          failures.push(error);
        }
      }
      await this.#network.setExports(exports, ready);
      // The others have theirs; what failed is tried again.
      if (failures.length > 0) throw failures[0];
      this.#exports = exports;
      this.#wishes = trees;
    },
    startMachine: async ({ machine, ip, generation }) => {
      const runs = (await this.#machines.running()).includes(machine.id);
      if (!runs) this.#note(machine, generation, 'start');
      await this.#network.ensureTap(tapName(machine.id), { mac: machine.mac, ip });
      await this.#machines.ensure({ ...machine, tap: tapName(machine.id) });
      this.#watched.add(machine.id);
    },
    removeMachine: async ({ id }) => {
      await this.#machines.remove(id);
      await this.#network.removeTap(tapName(id));
      this.#attempts.delete(id);
      this.#watched.delete(id);
    },
    resetMachine: async ({ machine, generation }) => {
      this.#note(machine, generation, 'reset');
      await this.#machines.reset({ ...machine, tap: tapName(machine.id) });
    },
    orderReboot: async ({ id, generation }) => {
      if (this.#agents.orderReboot(id)) this.#note({ id }, generation, 'order');
    },
    forgetNode: async ({ id }) => {
      await this.#forget(id);
      await this.#store.noteForgotten(id);
    },
  };

  #note({ id }: Pick<Machine, 'id'>, generation: number, how: Attempt['how']): void {
    const last = this.#attempts.get(id);
    const before = last?.generation === generation ? last : undefined;
    const at = Date.now() / 1000;
    this.#attempts.set(id, {
      ...{ generation, how, at },
      since: before?.how === how ? before.since : at,
      resets: (before?.resets ?? 0) + (how === 'reset' ? 1 : 0),
    });
  }

  /** Deletes what a removed node left on the server: its /persist and its keys. Idempotent. */
  async #forget(node: number): Promise<void> {
    await this.#ssh.removeNode(node);
    const owners = await namesIn(this.#paths.persist);
    for (const owner of owners) {
      await rm(persistImage(this.#paths, owner, node), { force: true });
    }
  }
}

/** Interface names have 15 characters at most (IFNAMSIZ). */
function tapName(id: number): string {
  return `vm${id}`;
}
