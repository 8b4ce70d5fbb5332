import { mkdir, rm } from 'node:fs/promises';
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
import type { KeepConsole } from '../consoles/index.ts';
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
import type { Engine, EngineHost, MachineWish, Placed, PlaceSeen } from './engine.ts';
import { KeptConsoles } from './kept-consoles.ts';
import { requireModelLimit } from './model-limit.ts';
import { countUserIds } from './user-ids.ts';

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
  /** By node: a disk that is made twice at once would be another one than QEMU has opened. */
  readonly #turns = new KeyedLock();
  readonly #consoles: KeptConsoles;

  private constructor(deps: Deps, host: Host) {
    this.#programs = deps.programs;
    this.#network = deps.network;
    this.#paths = deps.paths;
    this.#host = host;
    const { paths, keepConsole, log } = deps;
    this.#consoles = new KeptConsoles({ paths, keepConsole, log, running: () => this.running() });
  }

  static async open(deps: Deps): Promise<LocalEngine> {
    await mkdir(deps.paths.virtual, { recursive: true, mode: 0o700 });
    await mkdir(deps.paths.virtualRun, { recursive: true, mode: 0o700 });
    await writeSharedFiles(deps.paths);
    const host: Host = {
      accelerator: deps.accelerator,
      vhostNet: await isUsable('/dev/vhost-net'),
      userIds: await countUserIds(),
    };
    return new LocalEngine(deps, host);
  }

  async hosts(): Promise<[EngineHost]> {
    return [{ name: hostname(), memory: Math.floor(totalmem() / 1024 ** 2) }];
  }

  async require({ model, cpuCores, ramMiB, place }: MachineWish): Promise<void> {
    const { needs } = virtualModelOf(model).qemu;
    const [{ name, memory }] = await this.hosts();
    if (place.features.length > 0 || (place.host ?? name) !== name) {
      throw new UserError(
        'INVALID',
        `This platform has one host, the server itself, which is called ${name}.`,
        'Leave the setting host as it is. How there can be more: walt help show hosts',
      );
    }
    if (ramMiB > memory) {
      throw new UserError(
        'INVALID',
        `This server has ${memory} MiB of memory: no virtual node can have ${ramMiB} MiB.`,
        'Ask for less.',
      );
    }
    requireModelLimit({ model, cpuCores, ramMiB });
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
    await this.#consoles.follow(placed);
    await this.#programs.ensure({
      name: programName(id),
      argv: qemuArguments(onTap(machine), this.#host, this.#paths),
      adopt: 'any',
      ready: async () => lives || answers(qmpSocket),
    });
    await removeOtherDisks(folder, disks);
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
      this.#consoles.unfollow(id);
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

  volumeHosts(): [] {
    return [];
  }

  consolePath(id: number): string {
    return machineFiles(id, this.#paths).consoleSocket;
  }

  consoleLog(id: number): string {
    return this.#consoles.path(id);
  }

  forgetConsole(id: number): Promise<void> {
    return this.#consoles.forget(id);
  }

  /** They are all on the server, and what is wrong with one is told by its boot. */
  async places(): Promise<ReadonlyMap<number, PlaceSeen>> {
    return new Map();
  }

  close(): void {
    this.#consoles.close();
  }
}

export function programName(id: number): string {
  return `vm-${id}`;
}

/** Whether a supervised program is a machine of a virtual node. */
export function isMachine(program: string): boolean {
  return nodeId(program) !== undefined;
}

function nodeId(program: string): number | undefined {
  const digits = /^vm-(\d+)$/.exec(program)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
