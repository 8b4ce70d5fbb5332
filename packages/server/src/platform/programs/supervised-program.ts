import { setTimeout as delay } from 'node:timers/promises';
import { ExternalError } from '../errors.ts';
import { readTail } from '../files.ts';
import type { Log } from '../logs/index.ts';
import { launch } from './launch.ts';
import { bootId, isAlive } from './process.ts';
import type { ProgramRecords } from './program-record.ts';
import { type End, RunningProcess } from './running-process.ts';

export interface ProgramSpec {
  /** `[a-z0-9-]+`: names its record and its log. */
  name: string;
  argv: readonly string[];
  /** Added to the server's own environment. */
  env?: Record<string, string>;
  /** Asked until it answers true, for 10 s at most; without it, a program is ready once it runs. */
  ready?: () => Promise<boolean>;
  /** `same-argv` (default): one that runs with other arguments is stopped and started anew; `any`: it is taken as it is. */
  adopt?: 'same-argv' | 'any';
  /** Default true: started again whenever it ends; at once the first time, then after a growing delay (≤ 2 s). */
  restart?: boolean;
  /** Called when it ended without having been told to. */
  onExit?: () => void;
}

export interface ProgramStatus {
  name: string;
  pid: number | null;
  /** `failed`: ended several times in a row, is tried again every 2 s. */
  state: 'running' | 'starting' | 'stopped' | 'failed';
  /** How often it had to be started again because it failed. */
  restarts: number;
}

/** Milliseconds that a program may take to get ready. */
const READY_LIMIT = 60_000;
const READY_POLL = 25;
/** The same for one that did not get ready in time. */
const LATE_POLL = 500;
/** Milliseconds between SIGTERM and SIGKILL, and then until we give up. */
const STOP_LIMIT = 5_000;
/** A program that lived this many milliseconds did not fail to start: its next end is a first one. */
const STABLE_AFTER = 10_000;
/** Ends in a row from which on a program counts as failed. */
const FAILED_AFTER = 3;

/** Milliseconds to wait before a program that ended `failures` times in a row is started again. */
export function restartDelay(failures: number): number {
  return failures <= 1 ? 0 : Math.min(2_000, 50 * 2 ** (failures - 1));
}

/** One program: started or adopted, watched, started again when it ends, stopped. */
export class SupervisedProgram {
  #spec: ProgramSpec;
  readonly #logFile: string;
  readonly #records: ProgramRecords;
  readonly #log: Log;
  #process: RunningProcess | undefined;
  /** True from `ensure` to `stop`: it should run. */
  #wanted = false;
  #closed = false;
  #ready = false;
  #failures = 0;
  #restarts = 0;
  #timer: NodeJS.Timeout | undefined;
  /** True once it ended on purpose: then nobody wants to hear of it. */
  #dismissed = true;
  /** Starts and stops follow one another. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(spec: ProgramSpec, logFile: string, records: ProgramRecords, log: Log) {
    this.#spec = spec;
    this.#logFile = logFile;
    this.#records = records;
    this.#log = log;
  }

  get running(): boolean {
    return this.#process !== undefined;
  }

  /** Undefined when it was never started, or stopped on purpose. */
  get status(): ProgramStatus | undefined {
    if (this.#dismissed) return undefined;
    const { name } = this.#spec;
    const state = this.#process
      ? this.#ready
        ? 'running'
        : 'starting'
      : !this.#wanted
        ? 'stopped'
        : this.#failures >= FAILED_AFTER
          ? 'failed'
          : 'starting';
    return { name, pid: this.#process?.identity.pid ?? null, state, restarts: this.#restarts };
  }

  /**
   * Makes it run as `spec` says and resolves when it is ready. Throws ExternalError with the end of its log when it does
   * not get there; it is then stopped again, unless it was running before: others may depend on it.
   */
  async ensure(spec: ProgramSpec): Promise<void> {
    const fresh = await this.#inTurn(() => this.#makeRun(spec));
    try {
      await this.#untilReady();
    } catch (error) {
      if (fresh && !this.#closed) await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.#inTurn(() => this.#halt());
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.signal(signal);
  }

  /** Looks away; the program lives on. */
  close(): void {
    this.#closed = true;
    this.#wanted = false;
    clearTimeout(this.#timer);
    this.#process?.unwatch();
    this.#process = undefined;
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(action);
    this.#turn = result.catch(() => {}); // the caller gets the error; the next in turn does not care
    return result;
  }

  /** True when it had to be started. */
  async #makeRun(spec: ProgramSpec): Promise<boolean> {
    const before = this.#spec;
    this.#spec = spec;
    if (this.#wanted && (sameArgv(before.argv, spec.argv) || spec.adopt === 'any')) {
      if (this.#process || this.#timer) return false;
    } else if (this.#wanted) {
      await this.#halt();
    } else {
      const record = await this.#adopt();
      if (record && !sameArgv(record.argv, spec.argv) && spec.adopt !== 'any') await this.#halt();
    }
    this.#wanted = true;
    this.#dismissed = false;
    if (this.#process) return false;
    this.#failures = 0;
    await this.#start();
    return true;
  }

  /** Takes over what an earlier server started, if it lives. */
  async #adopt() {
    const record = await this.#records.read(this.#spec.name);
    if (!record || record.bootId !== bootId() || !isAlive(record)) return undefined;
    const { pid, startTime } = record;
    this.#watch(RunningProcess.adopt({ pid, startTime }));
    this.#log.info('adopted', { program: this.#spec.name, pid });
    return record;
  }

  async #start(): Promise<void> {
    const { name, argv, env } = this.#spec;
    const launched = await launch(argv, { logFile: this.#logFile, env });
    const process = RunningProcess.child(launched);
    try {
      await this.#records.write(name, { argv: [...argv], ...launched.identity, bootId: bootId() });
    } catch (error) {
      process.unwatch();
      process.signal('SIGKILL'); // nobody would ever find it again
      throw error;
    }
    launched.release();
    this.#watch(process);
    this.#log.info('started', { program: name, pid: launched.identity.pid });
  }

  #watch(process: RunningProcess): void {
    this.#process = process;
    this.#ready = false;
    void process.ended.then((end) => this.#onEnd(process, end));
    this.#askUntilReady(process).catch((error) =>
      this.#log.error('cannot tell whether it is ready', { program: this.#spec.name, reason: String(error) }),
    );
  }

  #onEnd(process: RunningProcess, { how, failed }: End): void {
    if (this.#process !== process) return;
    this.#process = undefined;
    if (!this.#wanted) return;
    const lived = Date.now() - process.since;
    this.#failures = lived >= STABLE_AFTER || (process.adopted && this.#ready) ? 1 : this.#failures + 1;
    this.#log[failed ? 'warn' : 'info']('ended', {
      program: this.#spec.name,
      pid: process.identity.pid,
      how,
    });
    if (this.#spec.restart === false) {
      this.#wanted = false;
      void this.#inTurn(async () => {
        if (!this.#process) await this.#records.remove(this.#spec.name);
      });
    } else {
      if (failed) this.#restarts += 1;
      this.#restartLater();
    }
    this.#spec.onExit?.();
  }

  #restartLater(): void {
    this.#timer = setTimeout(() => void this.#inTurn(() => this.#restart()), restartDelay(this.#failures));
  }

  async #restart(): Promise<void> {
    this.#timer = undefined;
    if (!this.#wanted || this.#process) return;
    try {
      await this.#start();
    } catch (error) {
      this.#failures += 1;
      this.#log.error('cannot start', { program: this.#spec.name, reason: String(error) });
      this.#restartLater();
    }
  }

  /**
   * Asks a process until it is ready, for as long as it lives: one that was slow counts as running once it answers. Ready at
   * last after many failures is ready all the same.
   */
  async #askUntilReady(process: RunningProcess): Promise<void> {
    const { name, ready } = this.#spec;
    const deadline = Date.now() + READY_LIMIT;
    let late = false;
    while (this.#process === process) {
      if (ready === undefined || (await ready())) {
        if (this.#process !== process) return;
        this.#ready = true;
        this.#log.info('ready', { program: name, pid: process.identity.pid });
        return;
      }
      if (!late && Date.now() >= deadline) {
        late = true;
        this.#log.error('not ready', { program: name, after: `${READY_LIMIT / 1000} s` });
      }
      await delay(late ? LATE_POLL : READY_POLL);
    }
  }

  async #untilReady(): Promise<void> {
    const { name, argv } = this.#spec;
    const deadline = Date.now() + READY_LIMIT;
    while (this.#wanted && Date.now() < deadline) {
      if (this.#ready) return;
      if (this.#failures >= FAILED_AFTER) break;
      await delay(READY_POLL);
    }
    const tail = await readTail(this.#logFile);
    throw new ExternalError(argv, null, tail || `${name} did not get ready in ${READY_LIMIT / 1000} s`);
  }

  async #halt(): Promise<void> {
    this.#wanted = false;
    this.#dismissed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { name, argv } = this.#spec;
    if (!this.#process) await this.#adopt();
    const process = this.#process;
    if (process) {
      process.signal('SIGTERM');
      if (!(await within(STOP_LIMIT, process.ended))) {
        process.signal('SIGKILL');
        if (!(await within(STOP_LIMIT, process.ended))) {
          throw new ExternalError(argv, null, `process ${process.identity.pid} does not end`);
        }
      }
      this.#process = undefined;
      this.#log.info('stopped', { program: name, pid: process.identity.pid });
    }
    await this.#records.remove(name);
  }
}

function sameArgv(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((word, index) => word === b[index]);
}

/** True when the promise resolves in that many milliseconds. */
async function within(limit: number, promise: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  try {
    return await Promise.race([promise.then(() => true), delay(limit, false, { signal: timer.signal })]);
  } finally {
    timer.abort();
  }
}
