import { mkdir, readFile, rm } from 'node:fs/promises';
import { totalmem } from 'node:os';
import type { DiskSpec } from '@walt/contract';
import { virtualModelOf } from '../../models/index.ts';
import {
  fileExists,
  KeyedLock,
  type Log,
  type Paths,
  type Programs,
  UserError,
} from '../../platform/index.ts';
import { capConsoleLog, clearConsoleLog } from '../consoles/index.ts';
import { isUsable } from './accelerator.ts';
import { ensureDisks, removeOtherDisks, requireDiskRoom, usedBytes } from './disks.ts';
import { type Accelerator, type Host, machineFiles, qemuArguments, type VirtualMachine } from './machine.ts';
import { answers } from './qmp.ts';
import { writeSharedFiles } from './shared-files.ts';

/** Milliseconds between looks at the size of the consoles' histories. */
const CAP_INTERVAL = 30_000;

type MachinePaths = Pick<Paths, 'virtual' | 'virtualRun'>;
type Size = Pick<VirtualMachine, 'model' | 'cpuCores' | 'ramMiB'>;
type Supervisor = Pick<Programs, 'ensure' | 'stop' | 'recorded' | 'instance'>;

interface Deps {
  programs: Supervisor;
  paths: MachinePaths;
  accelerator: Accelerator;
  log: Log;
}

/**
 * The virtual machines of a platform, each a supervised program `vm-ID` that outlives the server. One whose guest reboots or powers
 * off, or that is killed, starts again, as it is defined now. A running one is never stopped because its definition changed.
 */
export class VirtualMachines {
  readonly #programs: Supervisor;
  readonly #paths: MachinePaths;
  readonly #host: Host;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  /** By node: a disk that is made twice at once would be another one than QEMU has opened. */
  readonly #turns = new KeyedLock();

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
    await writeSharedFiles(deps.paths);
    const host: Host = {
      accelerator: deps.accelerator,
      vhostNet: await isUsable('/dev/vhost-net'),
      userIds: countUserIds(await readFile('/proc/self/uid_map', 'utf8')),
    };
    return new VirtualMachines(deps, host);
  }

  /**
   * Throws UserError INVALID when no machine of that model can be so large, or none here, UNAVAILABLE when this server lacks what
   * they need.
   */
  async require({ model, cpuCores, ramMiB }: Size): Promise<void> {
    const { limit, needs } = virtualModelOf(model).qemu;
    const memory = Math.floor(totalmem() / 1024 ** 2);
    if (ramMiB > memory) {
      throw new UserError(
        'INVALID',
        `This server has ${memory} MiB of memory: no virtual node can have ${ramMiB} MiB.`,
        'Ask for less.',
      );
    }
    if (limit && (cpuCores > limit.cpuCores || ramMiB > limit.ramMiB)) {
      throw new UserError(
        'INVALID',
        `A virtual node of the model ${model} has ${limit.cpuCores} CPU cores and ${limit.ramMiB} MiB of memory at most.`,
        'Ask for less, or take another model.',
      );
    }
    for (const file of needs?.files ?? []) {
      if (await fileExists(file)) continue;
      throw new UserError(
        'UNAVAILABLE',
        `This server has no virtual nodes of the model ${model}: ${file} is missing.`,
        `Install the packages ${needs?.packages} on the server.`,
      );
    }
  }

  /** Throws UserError unless so many disks can be made, and be so large. */
  async requireRoom(disks: readonly DiskSpec[]): Promise<void> {
    await requireDiskRoom(this.#paths.virtual, disks);
  }

  /** Bytes that disks of a machine take here; null: it is not made yet. */
  async diskUse(id: number, disks: readonly DiskSpec[]): Promise<(number | null)[]> {
    return await usedBytes(machineFiles(id, this.#paths).folder, disks);
  }

  /**
   * Starts the machine, or adopts the one that runs, whatever its arguments. Resolves when QEMU answers.
   * Throws ExternalError with QEMU's words when it does not come up.
   */
  async ensure(vm: VirtualMachine): Promise<void> {
    await this.#turns.hold(String(vm.id), () => this.#ensure(vm));
  }

  async #ensure(vm: VirtualMachine): Promise<void> {
    // One that lives is not asked: if it is stuck, that is for `reset` to mend.
    const lives = (await this.running()).includes(vm.id);
    const { folder, runFolder, qmpSocket } = machineFiles(vm.id, this.#paths);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await mkdir(runFolder, { recursive: true, mode: 0o700 });
    await ensureDisks(folder, vm.disks);
    await this.#programs.ensure({
      name: programName(vm.id),
      argv: qemuArguments(vm, this.#host, this.#paths),
      adopt: 'any',
      ready: async () => lives || answers(qmpSocket),
    });
    await removeOtherDisks(folder, vm.disks);
  }

  /** Power-cycles the machine, whatever state it is in: a new QEMU, as `vm` says. */
  async reset(vm: VirtualMachine): Promise<void> {
    await this.#turns.hold(String(vm.id), async () => {
      await this.powerOff(vm.id);
      await this.#ensure(vm);
    });
  }

  /** As if the plug was pulled; nothing starts it again. Does nothing when it is off. */
  async powerOff(id: number): Promise<void> {
    await this.#programs.stop(programName(id));
  }

  /** Powers off, then deletes all that the machine had. */
  async remove(id: number): Promise<void> {
    const { folder, runFolder } = machineFiles(id, this.#paths);
    await this.#turns.hold(String(id), async () => {
      await this.powerOff(id);
      await rm(runFolder, { recursive: true, force: true });
      await rm(folder, { recursive: true, force: true });
    });
  }

  /** Node ids of all machines that live, those that an earlier server started included; sorted. `among`: only of these is asked. */
  async running(among?: readonly number[]): Promise<number[]> {
    const names = await this.#programs.recorded(among?.map(programName));
    return names.flatMap((name) => nodeId(name) ?? []).sort((a, b) => a - b);
  }

  /** Tells one power cycle of a machine from the next; undefined when it is off. A reboot from inside is one, too. */
  powerCycle(id: number): Promise<string | undefined> {
    return this.#programs.instance(programName(id));
  }

  /** Unix socket of the serial console: raw bytes both ways, one client at a time. */
  consolePath(id: number): string {
    return machineFiles(id, this.#paths).consoleSocket;
  }

  /** File with all that the console printed lately. It may shrink to nothing at any time; the older part is then in `.1`. */
  consoleLog(id: number): string {
    return machineFiles(id, this.#paths).consoleLog;
  }

  /** Deletes what the console printed so far. */
  async forgetConsole(id: number): Promise<void> {
    await clearConsoleLog(this.consoleLog(id));
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
