/** An engine that is played: hosts on which machines of virtual nodes are started, ask for their boot, and run nothing. */
import { setTimeout as delay } from 'node:timers/promises';
import type { NodeDirectory } from '../packages/server/src/boot/index.ts';
import type { Engine, EngineHost, Placed, PlaceSeen } from '../packages/server/src/nodes/engine/index.ts';
import type { Agent } from './many-agents.ts';

/** Milliseconds until a cluster has taken a machine. */
const SUBMIT = 50;
/** Milliseconds until firmware that was told nothing asks again. */
const AGAIN = 1_000;
/** MiB of a host. */
const MEMORY = 262_144;

interface Played {
  ip: string;
  host: string;
  cycle: number;
}

export interface Hears {
  directory: Pick<NodeDirectory, 'beginBoot'>;
  /** A machine has its boot, and its agent begins. */
  booted(agent: Agent): void;
  /** Its agent ends, as without power. */
  ended(ip: string): void;
}

export class PlayedHosts implements Engine {
  readonly #names: readonly string[];
  readonly #machines = new Map<number, Played>();
  /** Seconds that each boot waited for its script. */
  readonly waits: number[] = [];
  /** Who hears of machines; they begin once there is somebody. */
  #hears: Hears | undefined;
  #cycles = 0;

  constructor(count: number) {
    this.#names = Array.from({ length: count }, (_, index) => `host${index}`);
  }

  hear(hears: Hears): void {
    this.#hears = hears;
  }

  /** All hosts have lost their power, and are back without a machine. */
  loseAll(): void {
    for (const { ip } of this.#machines.values()) this.#hears?.ended(ip);
    this.#machines.clear();
  }

  /** Those on that host are elsewhere at once: another power cycle of each. Answers how many. */
  kill(host: string): number {
    const lost = [...this.#machines].filter(([, machine]) => machine.host === host);
    for (const [id, { ip }] of lost) this.#begin(id, ip, host);
    return lost.length;
  }

  /** The node there was told to reboot: its machine is another one. */
  reboot(ip: string): void {
    for (const [id, machine] of this.#machines)
      if (machine.ip === ip) this.#begin(id, ip, undefined, machine.host);
  }

  /** On `host`, else on the one that has the fewest and is not `without`. */
  #begin(id: number, ip: string, without?: string, host = this.#emptiest(without)): void {
    this.#cycles += 1;
    const machine = { ip, host, cycle: this.#cycles };
    this.#machines.set(id, machine);
    this.#hears?.ended(ip);
    void this.#boot(id, machine);
  }

  async #boot(id: number, machine: Played): Promise<void> {
    const began = performance.now();
    while (this.#machines.get(id) === machine && this.#hears) {
      const boot = await this.#hears.directory.beginBoot(machine.ip);
      if (this.#machines.get(id) !== machine) return;
      if (boot) {
        const { ip, token, generation } = boot;
        this.waits.push((performance.now() - began) / 1000);
        return this.#hears.booted({ ip, token, generation });
      }
      await delay(AGAIN);
    }
  }

  #emptiest(without: string | undefined): string {
    const counts = new Map(this.#names.filter((name) => name !== without).map((name) => [name, 0]));
    for (const { host } of this.#machines.values()) {
      const count = counts.get(host);
      if (count !== undefined) counts.set(host, count + 1);
    }
    const [emptiest] = [...counts].toSorted(([, one], [, other]) => one - other);
    return emptiest?.[0] ?? '';
  }

  async hosts(): Promise<EngineHost[]> {
    return this.#names.map((name) => ({ name, memory: MEMORY }));
  }

  async require(): Promise<void> {}
  async requireRoom(): Promise<void> {}

  async diskUse(): Promise<null[]> {
    return [];
  }

  async start({ machine: { id }, ip }: Placed): Promise<void> {
    if (this.#machines.has(id)) return;
    await delay(SUBMIT);
    this.#begin(id, ip);
  }

  async reset({ machine: { id }, ip }: Placed): Promise<void> {
    this.#begin(id, ip);
  }

  async stop(id: number): Promise<void> {
    const machine = this.#machines.get(id);
    this.#machines.delete(id);
    if (machine) this.#hears?.ended(machine.ip);
  }

  remove(id: number): Promise<void> {
    return this.stop(id);
  }

  async running(among?: readonly number[]): Promise<ReadonlyMap<number, string>> {
    return new Map(
      (among ?? [...this.#machines.keys()]).flatMap((id): [number, string][] => {
        const machine = this.#machines.get(id);
        return machine ? [[id, String(machine.cycle)]] : [];
      }),
    );
  }

  async places(nodes: readonly { id: number }[]): Promise<ReadonlyMap<number, PlaceSeen>> {
    return new Map(nodes.map(({ id }) => [id, { host: this.#machines.get(id)?.host ?? null }]));
  }

  volumeHosts(): [] {
    return [];
  }

  consolePath(id: number): string {
    return `/nonexistent/console-${id}`;
  }

  consoleLog(id: number): string {
    return `/nonexistent/console-${id}.log`;
  }

  async forgetConsole(): Promise<void> {}

  close(): void {
    this.#hears = undefined;
    this.#machines.clear();
  }
}
