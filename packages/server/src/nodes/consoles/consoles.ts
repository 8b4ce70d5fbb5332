/** Serial consoles of nodes: QEMU's for a virtual node, one that a source of power offers for a real one. */
import type { Duplex } from 'node:stream';
import { dial, KeyedLock, UserError } from '../../platform/index.ts';
import type { NodeRow } from '../store.ts';
import { olderConsoleLog } from './console-log.ts';
import type { ConsoleRecorder } from './recorder.ts';

export interface ConsolePort {
  /** Raw bytes both ways, for one client at a time, once it is resumed. Throws UserError, or the system's error when nobody listens. */
  open(): Promise<Duplex>;
  /** Whether it comes back by itself when it ends: at once, as a new machine's does. */
  comesBack: boolean;
  /** File that has what it printed, as far as that was recorded, and the part of it that was put aside. */
  log: string;
  older: string;
}

interface Deps {
  /** Unix socket of a virtual node's console, and the file that a node's console is recorded in. */
  machines: {
    consolePath(id: number): string;
    consoleLog(id: number): string;
    forgetConsole(id: number): Promise<void>;
  };
  /** Undefined where nobody offers it. */
  power: { console(node: NodeRow): (() => Promise<Duplex>) | undefined };
  recorder: Pick<ConsoleRecorder, 'record' | 'empty'>;
}

/** What prints there is recorded: by QEMU, or while somebody watches. */
export class Consoles {
  readonly #machines: Deps['machines'];
  readonly #power: Deps['power'];
  readonly #recorder: Deps['recorder'];
  /** A controller frees a console some time after it was left: who comes back at once waits for that. */
  readonly #turns = new KeyedLock();

  constructor({ machines, power, recorder }: Deps) {
    this.#machines = machines;
    this.#power = power;
    this.#recorder = recorder;
  }

  /** Throws UserError UNAVAILABLE for a node that has none which the server reaches. */
  port(node: NodeRow): ConsolePort {
    const log = this.#machines.consoleLog(node.id);
    const files = { log, older: olderConsoleLog(log) };
    if (node.type === 'virtual') {
      const path = this.#machines.consolePath(node.id);
      return { ...files, comesBack: true, open: () => dial({ path }) };
    }
    const open = this.#power.console(node);
    if (open) return { ...files, comesBack: false, open: () => this.#openAlone(node.id, open, log) };
    throw new UserError(
      'UNAVAILABLE',
      `Nobody gives the server the console of ${node.name}: it is a plug on that machine.`,
      'Use walt node shell once it has booted. A BMC with IPMI would give it: walt help show power',
    );
  }

  /** Deletes what a node's console printed so far. */
  async forget(id: number): Promise<void> {
    await this.#recorder.empty(id, () => this.#machines.forgetConsole(id));
  }

  #openAlone(id: number, open: () => Promise<Duplex>, log: string): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const turn = async () => {
        const line = await open();
        const over = this.#recorder.record(id, line, log);
        resolve(line);
        await over;
      };
      this.#turns.hold(String(id), turn).catch(reject);
    });
  }
}
