/** Machines of virtual nodes, played: they ask the server for their boot and tell of it, as firmware and agent do, and run nothing. */
import { setTimeout as delay } from 'node:timers/promises';
import type { NodeDirectory } from '../src/boot/index.ts';
import type { Programs } from '../src/platform/index.ts';

interface Deps {
  /** What nodes ask while they boot and run. */
  directory(): Pick<NodeDirectory, 'beginBoot' | 'poll'>;
  /** Address of a node. */
  address(id: number): Promise<string | undefined>;
}

/** In place of the programs that are QEMU's. */
export class PlayedMachines implements Pick<Programs, 'ensure' | 'stop' | 'instances'> {
  readonly #deps: Deps;
  readonly #running = new Map<string, { end: AbortController; cycle: number }>();
  #held: Promise<void> | undefined;
  #cycles = 0;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** From now on, what starts does not boot before the answered function is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held = promise;
    return () => {
      this.#held = undefined;
      resolve();
    };
  }

  get held(): boolean {
    return this.#held !== undefined;
  }

  async ensure({ name }: { name: string }): Promise<void> {
    if (this.#running.has(name)) return;
    const machine = { end: new AbortController(), cycle: 0 };
    this.#running.set(name, machine);
    this.#run(name, machine).catch((error: unknown) => {
      if (!machine.end.signal.aborted) throw error;
    });
  }

  async stop(name: string): Promise<void> {
    this.#running.get(name)?.end.abort();
    this.#running.delete(name);
  }

  async instances(among?: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return new Map(
      (among ?? [...this.#running.keys()]).flatMap((name): [string, string][] => {
        const machine = this.#running.get(name);
        return machine ? [[name, String(machine.cycle)]] : [];
      }),
    );
  }

  close(): void {
    for (const { end } of this.#running.values()) end.abort();
    this.#running.clear();
  }

  /** Boots again and again, as long as it is told to. */
  async #run(name: string, machine: { end: AbortController; cycle: number }): Promise<void> {
    const { signal } = machine.end;
    while (!signal.aborted) {
      this.#cycles += 1;
      machine.cycle = this.#cycles;
      await this.#held;
      const ip = await this.#deps.address(Number(name.slice('vm-'.length)));
      if (ip === undefined || signal.aborted) return;
      const directory = this.#deps.directory();
      const boot = await directory.beginBoot(ip);
      // Its address may be another one's now.
      signal.throwIfAborted();
      // Firmware asks again after a while.
      if (!boot) await delay(100, undefined, { signal });
      else {
        const report = { generation: boot.generation, booted: true };
        while ((await directory.poll(ip, boot.token, report, signal)) === 'stay') signal.throwIfAborted();
      }
    }
  }
}
