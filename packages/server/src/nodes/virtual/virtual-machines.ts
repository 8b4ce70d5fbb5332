import { mkdir, readFile, rm } from 'node:fs/promises';
import {
  type Log,
  type Paths,
  type Programs,
  readIfPresent,
  UserError,
  writeFileAtomic,
} from '../../platform/index.ts';
import { type Accelerator, isUsable } from './accelerator.ts';
import { capConsoleLog, consoleLogSize, consoleSpeaks } from './console-log.ts';
import { enterKeyRomFile, type Host, machineFiles, qemuArguments, type VirtualMachine } from './machine.ts';
import { enterKeyRom } from './option-rom.ts';
import { Qmp, QmpError } from './qmp.ts';

/** Milliseconds between looks at the size of the consoles' histories. */
const CAP_INTERVAL = 30_000;
/** Milliseconds that QEMU may take to answer before it counts as stuck. */
const QMP_LIMIT = 2_000;
/** Milliseconds from power-on or reset to the BIOS's first words. TCG needs 150 on an idle machine. */
const BIOS_LIMIT = 5_000;

type MachinePaths = Pick<Paths, 'virtual' | 'virtualRun'>;
type Supervisor = Pick<Programs, 'ensure' | 'stop' | 'recorded' | 'status'>;

interface Deps {
  programs: Supervisor;
  paths: MachinePaths;
  accelerator: Accelerator;
  log: Log;
}

/**
 * The virtual machines of a platform, each a supervised program `vm-ID` that outlives the server. One whose guest powers off, or that
 * is killed, starts again. A running one is never stopped because its definition changed: the next `reset` brings the change.
 */
export class VirtualMachines {
  readonly #programs: Supervisor;
  readonly #paths: MachinePaths;
  readonly #host: Host;
  readonly #log: Log;
  /** As last given to `ensure`. */
  readonly #machines = new Map<number, VirtualMachine>();
  readonly #timer: NodeJS.Timeout;

  private constructor(deps: Deps, host: Host) {
    this.#programs = deps.programs;
    this.#paths = deps.paths;
    this.#host = host;
    this.#log = deps.log;
    this.#timer = setInterval(() => void this.capConsoleLogs(), CAP_INTERVAL).unref();
  }

  static async open(deps: Deps): Promise<VirtualMachines> {
    await mkdir(deps.paths.virtual, { recursive: true, mode: 0o700 });
    await mkdir(deps.paths.virtualRun, { recursive: true, mode: 0o700 });
    await writeFileAtomic(enterKeyRomFile(deps.paths), enterKeyRom());
    const host: Host = {
      accelerator: deps.accelerator,
      vhostNet: await isUsable('/dev/vhost-net'),
      userIds: countUserIds(await readFile('/proc/self/uid_map', 'utf8')),
    };
    return new VirtualMachines(deps, host);
  }

  /**
   * Starts the machine, or adopts the one that runs, whatever its arguments. Resolves when its BIOS runs.
   * Throws ExternalError with QEMU's words when it does not come up.
   */
  async ensure(vm: VirtualMachine): Promise<void> {
    this.#machines.set(vm.id, vm);
    // One that lives is not asked: if it is stuck, that is for `reset` to find out and mend.
    const lives = (await this.running()).includes(vm.id);
    const { folder, runFolder, consoleLog: log } = machineFiles(vm.id, this.#paths);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await mkdir(runFolder, { recursive: true, mode: 0o700 });
    const size = await consoleLogSize(log);
    await this.#programs.ensure({
      name: programName(vm.id),
      argv: this.#arguments(vm),
      adopt: 'any',
      ready: async () => lives || this.#answers(vm.id),
    });
    // A reset in the first milliseconds, while the BIOS copies itself to RAM, leaves a machine that runs through empty memory for ever
    // (seen with SeaBIOS 1.16). Who gets the machine from here may reset it.
    if (!lives) await consoleSpeaks(log, size, BIOS_LIMIT);
  }

  /**
   * Power-cycles the machine: QEMU's reset; a new QEMU when the machine's definition changed, QEMU does not answer or the reset fails. Starts it when
   * it does not run. Throws UserError NOT_FOUND for a machine that was never given to `ensure`.
   */
  async reset(id: number): Promise<void> {
    const vm = this.#machines.get(id);
    if (!vm) {
      throw new UserError(
        'NOT_FOUND',
        `There is no virtual machine for node ${id}.`,
        'Create the node first.',
      );
    }
    await this.ensure(vm);
    if (!(await this.#isAsDefined(vm)) || !(await this.#resetByQemu(id))) {
      await this.#programs.stop(programName(id));
      await this.ensure(vm);
    }
  }

  /** As if the plug was pulled; nothing starts it again. Does nothing when it is off. */
  async powerOff(id: number): Promise<void> {
    await this.#programs.stop(programName(id));
  }

  /** Powers off, then deletes all that the machine had. */
  async remove(id: number): Promise<void> {
    const { folder, runFolder } = machineFiles(id, this.#paths);
    await this.powerOff(id);
    this.#machines.delete(id);
    await rm(runFolder, { recursive: true, force: true });
    await rm(folder, { recursive: true, force: true });
  }

  /** Node ids of all machines that live, those that an earlier server started included; sorted. */
  async running(): Promise<number[]> {
    const names = await this.#programs.recorded();
    return names.flatMap((name) => nodeId(name) ?? []).sort((a, b) => a - b);
  }

  /** Unix socket of the serial console: raw bytes both ways, one client at a time. */
  consolePath(id: number): string {
    return machineFiles(id, this.#paths).consoleSocket;
  }

  /** File with all that the console printed lately. It may shrink to nothing at any time; the older part is then in `.1`. */
  consoleLog(id: number): string {
    return machineFiles(id, this.#paths).consoleLog;
  }

  /** Bounds the consoles' histories. Runs by itself every half minute. */
  async capConsoleLogs(): Promise<void> {
    try {
      for (const id of await this.running()) {
        if (await capConsoleLog(this.consoleLog(id))) this.#log.info('console log put aside', { node: id });
      }
    } catch (error) {
      this.#log.error('cannot bound a console log', { error: String(error) });
    }
  }

  /** Looks away; the machines live on. */
  close(): void {
    clearInterval(this.#timer);
  }

  #arguments(vm: VirtualMachine): string[] {
    return qemuArguments(vm, this.#host, this.#paths);
  }

  async #isAsDefined(vm: VirtualMachine): Promise<boolean> {
    const status = this.#programs.status().find(({ name }) => name === programName(vm.id));
    const commandLine = status?.pid ? await readIfPresent(`/proc/${status.pid}/cmdline`) : undefined;
    return (
      commandLine ===
      this.#arguments(vm)
        .map((word) => `${word}\0`)
        .join('')
    );
  }

  /** False when QEMU does not do it, or when the machine stays silent after it. */
  async #resetByQemu(id: number): Promise<boolean> {
    const log = this.consoleLog(id);
    const size = await consoleLogSize(log);
    let reason = 'its BIOS does not start';
    try {
      using qmp = await this.#connect(id);
      await qmp.execute('system_reset');
      await qmp.execute('cont'); // a guest that KVM gave up on is paused, and stays so over a reset
      if (await consoleSpeaks(log, size, BIOS_LIMIT)) return true;
    } catch (error) {
      if (!(error instanceof QmpError)) throw error;
      reason = error.message;
    }
    this.#log.warn('cannot be reset, is replaced', { machine: programName(id), reason });
    return false;
  }

  async #answers(id: number): Promise<boolean> {
    try {
      using _ = await this.#connect(id);
      return true;
    } catch (error) {
      if (error instanceof QmpError) return false;
      throw error;
    }
  }

  #connect(id: number): Promise<Qmp> {
    return Qmp.connect(machineFiles(id, this.#paths).qmpSocket, QMP_LIMIT);
  }
}

function programName(id: number): string {
  return `vm-${id}`;
}

function nodeId(program: string): number | undefined {
  const digits = /^vm-(\d+)$/.exec(program)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** One more than the highest user id of this namespace; lines of `FIRST OUTSIDE COUNT` (user_namespaces(7)). */
export function countUserIds(uidMap: string): number {
  const ends = uidMap
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([first = 0, , count = 0]) => first + count);
  return Math.max(0, ...ends);
}
