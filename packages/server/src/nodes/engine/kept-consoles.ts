import { mkdir, rm } from 'node:fs/promises';
import type { Log, Paths } from '../../platform/index.ts';
import {
  CONSOLE_LOG_LIMIT,
  CONSOLE_LOG_PATIENCE,
  ConsoleFollower,
  capConsoleLog,
  clearConsoleLog,
  consoleLogSize,
  type KeepConsole,
  olderConsoleLog,
} from '../consoles/index.ts';
import { machineFiles } from '../virtual/index.ts';
import type { Placed } from './engine.ts';

/** Milliseconds between looks at the size of the consoles' histories. */
const CAP_INTERVAL = 30_000;

interface Deps {
  paths: Pick<Paths, 'virtual' | 'virtualRun'>;
  keepConsole: KeepConsole;
  /** Machines that run, by node id. */
  running(): Promise<ReadonlyMap<number, string>>;
  log: Log;
}

/** What consoles of machines printed: files on the server, bounded, of which lines are stored. */
export class KeptConsoles {
  readonly #deps: Deps;
  readonly #timer: NodeJS.Timeout;
  /** By node: whoever has the lines of its console stored. */
  readonly #followers = new Map<number, ConsoleFollower>();

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#timer = setInterval(() => void this.cap(), CAP_INTERVAL).unref();
  }

  path(id: number): string {
    return machineFiles(id, this.#deps.paths).consoleLog;
  }

  /** Has lines stored from here on, or no more: as the machine says. Call it before the console prints. */
  async follow({ machine: { id, logsConsole }, ip }: Placed): Promise<void> {
    if (this.#followers.get(id)?.issuer === (logsConsole ? ip : undefined)) return;
    this.unfollow(id);
    const { folder, consoleLog: log, consoleSpool: spool } = machineFiles(id, this.#deps.paths);
    if (!logsConsole) return await rm(spool, { force: true });
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { keepConsole } = this.#deps;
    this.#followers.set(id, await ConsoleFollower.begin(ip, { log, spool }, keepConsole, this.#deps.log));
  }

  unfollow(id: number): void {
    this.#followers.get(id)?.close();
    this.#followers.delete(id);
  }

  /** Deletes what the console printed so far. */
  async forget(id: number): Promise<void> {
    await this.#empty(id, () => clearConsoleLog(this.path(id)).then(() => ({})), true);
  }

  async #empty(id: number, act: Parameters<ConsoleFollower['empty']>[0], force: boolean): Promise<void> {
    const follower = this.#followers.get(id);
    await (follower ? follower.empty(act, force) : act());
  }

  /** Bounds the histories. Runs by itself every half minute. */
  async cap(): Promise<void> {
    const { running, log } = this.#deps;
    try {
      for (const id of (await running()).keys()) {
        const path = this.path(id);
        const size = await consoleLogSize(path);
        if (size <= CONSOLE_LOG_LIMIT) continue;
        const putAside = async () => {
          if (!(await capConsoleLog(path))) return undefined;
          log.info('console log put aside', { node: id });
          return { copy: olderConsoleLog(path) };
        };
        await this.#empty(id, putAside, size > CONSOLE_LOG_PATIENCE);
      }
    } catch (error) {
      log.error('cannot bound a console log', { error: String(error) });
    }
  }

  close(): void {
    clearInterval(this.#timer);
    for (const id of [...this.#followers.keys()]) this.unfollow(id);
  }
}
