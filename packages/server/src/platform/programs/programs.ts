import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../logs/index.ts';
import type { Paths } from '../paths.ts';
import { bootId, isAlive } from './process.ts';
import { ProgramRecords } from './program-record.ts';
import { type ProgramSpec, type ProgramStatus, SupervisedProgram } from './supervised-program.ts';

/**
 * Outside programs that outlive the server: each in a session of its own, its output in `paths.logs/NAME.log`, recorded in
 * `paths.programs/NAME.json`. A later server finds them there and adopts them.
 */
export class Programs {
  readonly #paths: Pick<Paths, 'logs' | 'programs'>;
  readonly #records: ProgramRecords;
  readonly #log: Log;
  readonly #programs = new Map<string, SupervisedProgram>();

  constructor(paths: Pick<Paths, 'logs' | 'programs'>, log: Log) {
    this.#paths = paths;
    this.#records = new ProgramRecords(paths.programs);
    this.#log = log;
  }

  /**
   * Adopts or starts a program; resolves when it is ready. Idempotent.
   * Throws ExternalError, with the end of its log, when it does not get ready.
   */
  async ensure(spec: ProgramSpec): Promise<void> {
    await mkdir(this.#paths.logs, { recursive: true });
    await this.#program(spec.name, spec).ensure(spec);
  }

  running(name: string): boolean {
    return this.#programs.get(name)?.running ?? false;
  }

  /** Process number; undefined when it does not run just now. */
  pid(name: string): number | undefined {
    return this.#programs.get(name)?.status?.pid ?? undefined;
  }

  /** SIGTERM, after 5 s SIGKILL; resolves when it is gone. Also ends what only an earlier server has started. */
  async stop(name: string): Promise<void> {
    await this.#program(name, { name, argv: [name] }).stop();
  }

  /** Does nothing when the program does not run. */
  signal(name: string, signal: NodeJS.Signals): void {
    this.#programs.get(name)?.signal(signal);
  }

  /** Names of all programs that live, those of earlier servers included; sorted. Or those `among` these, in their order. */
  async recorded(among?: readonly string[]): Promise<string[]> {
    return [...(await this.instances(among)).keys()];
  }

  /** As `recorded`, each with what tells this run of it from all others of this machine. */
  async instances(among?: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const boot = bootId();
    const names = among ?? (await this.#records.names());
    const records = await Promise.all(names.map((name) => this.#records.read(name)));
    return new Map(
      names.flatMap((name, index): [string, string][] => {
        const record = records[index];
        if (record === undefined || record.bootId !== boot || !isAlive(record)) return [];
        return [[name, `${record.pid} ${record.startTime}`]];
      }),
    );
  }

  /** Those that should run, and those with `restart: false` that ended by themselves. */
  status(): ProgramStatus[] {
    return [...this.#programs.values()].flatMap((program) => program.status ?? []);
  }

  /** Stops watching; the programs live on. */
  close(): void {
    for (const program of this.#programs.values()) program.close();
    this.#programs.clear();
  }

  #program(name: string, spec: ProgramSpec): SupervisedProgram {
    if (!/^[a-z0-9-]+$/.test(name)) throw new TypeError(`ill-formed program name ${JSON.stringify(name)}`);
    let program = this.#programs.get(name);
    if (!program) {
      program = new SupervisedProgram(spec, join(this.#paths.logs, `${name}.log`), this.#records, this.#log);
      this.#programs.set(name, program);
    }
    return program;
  }
}
