import { mkdir, readFile, rm } from 'node:fs/promises';
import { hostname, totalmem } from 'node:os';
import type { DiskSpec } from '@walt/contract';
import { virtualModelOf } from '../../models/index.ts';
import type { Network, OtherNetworks } from '../../network/index.ts';
import {
  fileExists,
  KeyedLock,
  type Log,
  type Paths,
  type Programs,
  UserError,
} from '../../platform/index.ts';
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
import {
  type Accelerator,
  adapterOn,
  answers,
  ensureDisks,
  type Host,
  isUsable,
  type Machine,
  machineFiles,
  onTap,
  qemuArguments,
  removeOtherDisks,
  requireDiskRoom,
  tapName,
  usedBytes,
  writeSharedFiles,
} from '../virtual/index.ts';
import type { Engine, EngineHost, Placed } from './engine.ts';

/** Milliseconds between looks at the size of the consoles' histories. */
const CAP_INTERVAL = 30_000;

type MachinePaths = Pick<Paths, 'virtual' | 'virtualRun'>;
type Supervisor = Pick<Programs, 'ensure' | 'stop' | 'instances'>;

interface Deps {
  programs: Supervisor;
  network: Pick<Network, 'ensureTap' | 'removeTap'> & {
    others: Pick<OtherNetworks, 'connect' | 'removeNode'>;
  };
  paths: MachinePaths;
  accelerator: Accelerator;
  keepConsole: KeepConsole;
  log: Log;
}

/**
 * Machines on the server itself, each a supervised program `vm-ID` that outlives the server. One whose guest reboots or powers off, or
 * that is killed, starts again, as it is defined now. A running one is never stopped because its definition changed.
 */
export class LocalEngine implements Engine {
  readonly #programs: Supervisor;
  readonly #network: Deps['network'];
  readonly #paths: MachinePaths;
  readonly #host: Host;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  /** By node: a disk that is made twice at once would be another one than QEMU has opened. */
  readonly #turns = new KeyedLock();
  readonly #keepConsole: KeepConsole;
  /** By node: whoever has the lines of its console stored. */
  readonly #followers = new Map<number, ConsoleFollower>();

  private constructor(deps: Deps, host: Host) {
    this.#programs = deps.programs;
    this.#network = deps.network;
    this.#paths = deps.paths;
    this.#host = host;
    this.#log = deps.log;
    this.#keepConsole = deps.keepConsole;
    this.#timer = setInterval(() => void this.capConsoleLogs(), CAP_INTERVAL).unref();
  }

  static async open(deps: Deps): Promise<LocalEngine> {
    await mkdir(deps.paths.virtual, { recursive: true, mode: 0o700 });
    await mkdir(deps.paths.virtualRun, { recursive: true, mode: 0o700 });
    await writeSharedFiles(deps.paths);
    const host: Host = {
      accelerator: deps.accelerator,
      vhostNet: await isUsable('/dev/vhost-net'),
      userIds: countUserIds(await readFile('/proc/self/uid_map', 'utf8')),
    };
    return new LocalEngine(deps, host);
  }

  async hosts(): Promise<[EngineHost]> {
    return [{ name: hostname(), memory: Math.floor(totalmem() / 1024 ** 2) }];
  }

  async require({ model, cpuCores, ramMiB }: Pick<Machine, 'model' | 'cpuCores' | 'ramMiB'>): Promise<void> {
    const { limit, needs } = virtualModelOf(model).qemu;
    const [{ memory }] = await this.hosts();
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

  async requireRoom(disks: readonly DiskSpec[]): Promise<void> {
    await requireDiskRoom(this.#paths.virtual, disks);
  }

  async diskUse(id: number, disks: readonly DiskSpec[]): Promise<(number | null)[]> {
    return await usedBytes(machineFiles(id, this.#paths).folder, disks);
  }

  /** Resolves when QEMU answers; what it says instead is in the ExternalError. */
  async start(placed: Placed): Promise<void> {
    await this.#turns.hold(String(placed.machine.id), () => this.#start(placed));
  }

  async #start(placed: Placed): Promise<void> {
    const { machine, ip } = placed;
    const { id, disks } = machine;
    // One that lives is not asked: if it is stuck, that is for `reset` to mend.
    const lives = (await this.running([id])).has(id);
    await this.#connect(machine, ip);
    const { folder, runFolder, qmpSocket } = machineFiles(id, this.#paths);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await mkdir(runFolder, { recursive: true, mode: 0o700 });
    await ensureDisks(folder, disks);
    // Before it prints.
    await this.#follow(placed);
    await this.#programs.ensure({
      name: programName(id),
      argv: qemuArguments(onTap(machine), this.#host, this.#paths),
      adopt: 'any',
      ready: async () => lives || answers(qmpSocket),
    });
    await removeOtherDisks(folder, disks);
  }

  async #follow({ machine: { id, logsConsole }, ip }: Placed): Promise<void> {
    if (this.#followers.get(id)?.issuer === (logsConsole ? ip : undefined)) return;
    this.#unfollow(id);
    const { consoleLog: log, consoleSpool: spool } = machineFiles(id, this.#paths);
    if (!logsConsole) await rm(spool, { force: true });
    else {
      const follower = await ConsoleFollower.begin(ip, { log, spool }, this.#keepConsole, this.#log);
      this.#followers.set(id, follower);
    }
  }

  #unfollow(id: number): void {
    this.#followers.get(id)?.close();
    this.#followers.delete(id);
  }

  /** Taps on the networks, which QEMU opens. */
  async #connect(machine: Machine, ip: string): Promise<void> {
    const { id, mac } = machine;
    const [waltNet, ...others] = machine.networks;
    await this.#network.ensureTap(tapName(id), { mac, ip }, waltNet ?? {});
    for (const other of others) {
      const adapter = adapterOn(machine, other.name);
      await this.#network.others.connect(adapter.tap, other, adapter.mac);
    }
  }

  async reset(placed: Placed): Promise<void> {
    const { id } = placed.machine;
    await this.#turns.hold(String(id), async () => {
      await this.stop(id);
      await this.#start(placed);
    });
  }

  async stop(id: number): Promise<void> {
    await this.#programs.stop(programName(id));
  }

  async remove(id: number): Promise<void> {
    const { folder, runFolder } = machineFiles(id, this.#paths);
    await this.#turns.hold(String(id), async () => {
      await this.stop(id);
      this.#unfollow(id);
      await this.#network.removeTap(tapName(id));
      await this.#network.others.removeNode(id);
      await rm(runFolder, { recursive: true, force: true });
      await rm(folder, { recursive: true, force: true });
    });
  }

  async running(among?: readonly number[]): Promise<ReadonlyMap<number, string>> {
    const programs = await this.#programs.instances(among?.map(programName));
    return new Map(
      [...programs].flatMap(([name, instance]): [number, string][] => {
        const id = nodeId(name);
        return id === undefined ? [] : [[id, instance]];
      }),
    );
  }

  consolePath(id: number): string {
    return machineFiles(id, this.#paths).consoleSocket;
  }

  consoleLog(id: number): string {
    return machineFiles(id, this.#paths).consoleLog;
  }

  async forgetConsole(id: number): Promise<void> {
    await this.#empty(id, () => clearConsoleLog(this.consoleLog(id)).then(() => ({})), true);
  }

  async #empty(id: number, act: Parameters<ConsoleFollower['empty']>[0], force: boolean): Promise<void> {
    const follower = this.#followers.get(id);
    await (follower ? follower.empty(act, force) : act());
  }

  /** Bounds the consoles' histories. Runs by itself every half minute. */
  async capConsoleLogs(): Promise<void> {
    try {
      for (const id of (await this.running()).keys()) {
        const path = this.consoleLog(id);
        const size = await consoleLogSize(path);
        if (size <= CONSOLE_LOG_LIMIT) continue;
        const putAside = async () => {
          if (!(await capConsoleLog(path))) return undefined;
          this.#log.info('console log put aside', { node: id });
          return { copy: olderConsoleLog(path) };
        };
        await this.#empty(id, putAside, size > CONSOLE_LOG_PATIENCE);
      }
    } catch (error) {
      this.#log.error('cannot bound a console log', { error: String(error) });
    }
  }

  close(): void {
    clearInterval(this.#timer);
    for (const id of [...this.#followers.keys()]) this.#unfollow(id);
  }
}

export function programName(id: number): string {
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
