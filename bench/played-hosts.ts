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
  id: number;
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
  readonly #byIp = new Map<string, Played>();
  /** How many machines each host has. */
  readonly #counts: Map<string, number>;
  /** Seconds that each boot waited for its script. */
  readonly waits: number[] = [];
  /** Who hears of machines; they begin once there is somebody. */
  #hears: Hears | undefined;
  #cycles = 0;

  constructor(count: number) {
    this.#names = Array.from({ length: count }, (_, index) => `host${index}`);
    this.#counts = new Map(this.#names.map((name) => [name, 0]));
  }

  hear(hears: Hears): void {
    this.#hears = hears;
  }

  /** All hosts have lost their power, and are back without a machine. */
  loseAll(): void {
    for (const id of [...this.#machines.keys()]) this.#end(id);
  }

  /** Those on that host are elsewhere at once: another power cycle of each. Answers how many. */
  kill(host: string): number {
    const lost = [...this.#machines].filter(([, machine]) => machine.host === host);
    for (const [id, { ip }] of lost) this.#begin(id, ip, host);
    return lost.length;
  }

  /** The node there was told to reboot: its machine is another one. */
  reboot(ip: string): void {
    const machine = this.#byIp.get(ip);
    if (machine) this.#begin(machine.id, ip, undefined, machine.host);
  }

  /** On `host`, else on the one that has the fewest and is not `without`. */
  #begin(id: number, ip: string, without?: string, host = this.#emptiest(without)): void {
    this.#end(id);
    this.#cycles += 1;
    const machine = { id, ip, host, cycle: this.#cycles };
    this.#machines.set(id, machine);
    this.#byIp.set(ip, machine);
    this.#counts.set(host, (this.#counts.get(host) ?? 0) + 1);
    void this.#boot(id, machine);
  }

  #end(id: number): void {
    const machine = this.#machines.get(id);
    if (!machine) return;
    const { ip, host } = machine;
    this.#machines.delete(id);
    this.#byIp.delete(ip);
    this.#counts.set(host, (this.#counts.get(host) ?? 1) - 1);
    this.#hears?.ended(ip);
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
    let [emptiest, fewest] = ['', Number.POSITIVE_INFINITY];
    for (const [host, count] of this.#counts)
      if (count < fewest && host !== without) [emptiest, fewest] = [host, count];
    return emptiest;
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
    this.#end(id);
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
