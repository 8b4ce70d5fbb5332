import { join } from 'node:path';
import type { Log, Paths } from '../../../platform/index.ts';
import { machineFiles } from '../../virtual/index.ts';
import { HostConsole } from './host-console.ts';
import { hostFolder } from './job-script.ts';
import type { JobSeen } from './output.ts';
import type { Slurm } from './slurm.ts';

interface Deps {
  platform: string;
  paths: Pick<Paths, 'virtual' | 'virtualRun'>;
  slurm: Pick<Slurm, 'beside'>;
  cap(): Promise<void>;
  log: Log;
}

/** Consoles of all machines on hosts, by node. */
export class HostConsoles {
  readonly #deps: Deps;
  readonly #consoles = new Map<number, HostConsole>();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** From now on, it has one. Idempotent. */
  async open(id: number): Promise<void> {
    if (this.#consoles.has(id)) return;
    const { platform, paths, slurm, cap, log } = this.#deps;
    const { folder, consoleLog, consoleSocket } = machineFiles(id, paths);
    const opened = await HostConsole.open({
      files: { log: consoleLog, read: join(folder, 'console.read'), socket: consoleSocket },
      folder: hostFolder(platform, id),
      beside: (job, argv) => slurm.beside(job, argv),
      cap,
      log,
    });
    this.#consoles.set(id, opened);
  }

  /** Each is read as long as a machine of its node runs. */
  attach(jobs: ReadonlyMap<number, JobSeen>): void {
    for (const [id, console] of this.#consoles) {
      const seen = jobs.get(id);
      const runs = seen?.state === 'RUNNING' && seen.cycle !== '-';
      console.attach(runs ? seen.job : undefined);
    }
  }

  remove(id: number): void {
    this.#consoles.get(id)?.close();
    this.#consoles.delete(id);
  }

  close(): void {
    for (const console of this.#consoles.values()) console.close();
  }
}
