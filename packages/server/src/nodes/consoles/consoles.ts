/** Serial consoles of nodes: QEMU's for a virtual node, one that a source of power offers for a real one. */
import { appendFile, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import { dial, KeyedLock, type Log, rarely, UserError } from '../../platform/index.ts';
import type { NodeRow } from '../store.ts';
import { capConsoleLog, olderConsoleLog } from './console-log.ts';

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
  machines: { consolePath(id: number): string; consoleLog(id: number): string };
  /** Undefined where nobody offers it. */
  power: { console(node: NodeRow): (() => Promise<Duplex>) | undefined };
  log: Log;
}

/** What prints there is recorded: by QEMU, or while somebody watches. */
export class Consoles {
  readonly #machines: Deps['machines'];
  readonly #power: Deps['power'];
  readonly #unwritten: ReturnType<typeof rarely>;
  /** A controller frees a console some time after it was left: who comes back at once waits for that. */
  readonly #turns = new KeyedLock();

  constructor({ machines, power, log }: Deps) {
    this.#machines = machines;
    this.#power = power;
    this.#unwritten = rarely(log.warn);
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

  #openAlone(id: number, open: () => Promise<Duplex>, log: string): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      const turn = async () => {
        const line = await open();
        const closed = new Promise((done) => line.once('close', done));
        this.#record(id, line, log);
        resolve(line);
        await closed;
      };
      this.#turns.hold(String(id), turn).catch(reject);
    });
  }

  /** Writes down what it prints: QEMU does that itself. */
  #record(id: number, line: Duplex, log: string): void {
    let writing = mkdir(dirname(log), { recursive: true, mode: 0o700 }).then(() => {});
    line.on('error', () => {}); // its end tells
    line.on('data', (chunk: Buffer) => {
      // What is not written yet keeps it from printing more.
      line.pause();
      writing = writing
        .then(() => appendFile(log, chunk, { mode: 0o600 }))
        .then(async () => void (await capConsoleLog(log)))
        .catch((error: unknown) =>
          this.#unwritten('cannot record a console', { node: id, error: String(error) }, String(id)),
        )
        .finally(() => line.resume());
    });
    line.pause();
  }
}
