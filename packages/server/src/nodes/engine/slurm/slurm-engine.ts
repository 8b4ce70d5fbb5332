import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiskSpec } from '@walt/contract';
import {
  isExternalError,
  isUserError,
  KeyedLock,
  type Log,
  type Paths,
  rarely,
} from '../../../platform/index.ts';
import type { KeepConsole } from '../../consoles/index.ts';
import { machineFiles } from '../../virtual/index.ts';
import type { Engine, EngineHost, MachineWish, Placed, PlaceSeen } from '../engine.ts';
import { KeptConsoles } from '../kept-consoles.ts';
import { requireModelLimit } from '../model-limit.ts';
import { Cluster } from './cluster.ts';
import { endJob } from './end-job.ts';
import { runsNodes } from './features.ts';
import {
  awayWords,
  memoryOf,
  refusalOf,
  requireFit,
  requireNone,
  requireSimple,
  troubleOf,
  type Words,
} from './fit.ts';
import { HostConsoles } from './host-consoles.ts';
import { type Job, type JobPlace, jobProgram, jobScript } from './job-script.ts';
import { movesOf } from './moves.ts';
import { cycleOf, isAs, type JobSeen } from './output.ts';
import type { Slurm } from './slurm.ts';
import { VolumeJobs, type VolumeJobsDeps } from './volumes/index.ts';
import { type Tunnel, Ways } from './ways.ts';

/** Milliseconds between looks at what became of machines. */
const INTERVAL = 2_000;

export interface SlurmDeps {
  slurm: Slurm;
  partition: string;
  place: Pick<JobPlace, 'platform' | 'server' | 'vxlanPort' | 'userIds'>;
  paths: Pick<Paths, 'virtual' | 'virtualRun'>;
  /** Those that should be there, and no others. */
  setTunnels(tunnels: readonly Tunnel[]): Promise<void>;
  /** IPv4 address of a machine, by its name. */
  resolve(name: string): Promise<string>;
  volumes: Pick<VolumeJobsDeps, 'walt' | 'servers'>;
  /** Of a cluster of our own; throws ExternalError. */
  restartController: (() => Promise<void>) | undefined;
  keepConsole: KeepConsole;
  log: Log;
}

/** Machines as jobs of a Slurm cluster, each on one of its hosts. Slurm finds the host, and another one when it dies. */
export class SlurmEngine implements Engine {
  readonly #deps: SlurmDeps;
  readonly #cluster: Cluster;
  readonly #program: string;
  readonly #consoles: KeptConsoles;
  readonly #hostConsoles: HostConsoles;
  readonly #volumes: VolumeJobs;
  readonly #ways: Ways;
  /** Those that are to run, by node, and what they are. */
  readonly #wanted = new Map<number, { placed: Placed; job: Job }>();
  /** Why Slurm did not take a machine the last time, by node. */
  readonly #refused = new Map<number, Words>();
  readonly #turns = new KeyedLock();
  readonly #fail: Log['error'];
  readonly #timer: NodeJS.Timeout;
  #tending: Promise<void> | undefined;
  #closed = false;

  private constructor(deps: SlurmDeps, cluster: Cluster, program: string, volumes: VolumeJobs) {
    this.#deps = deps;
    this.#volumes = volumes;
    this.#program = program;
    this.#cluster = cluster;
    this.#fail = rarely(deps.log.error);
    const { slurm, place, paths, keepConsole, setTunnels, resolve, log } = deps;
    this.#ways = new Ways({ platform: place.platform, setTunnels, resolve, log });
    this.#consoles = new KeptConsoles({ paths, keepConsole, log, running: () => this.running() });
    const cap = () => this.#consoles.cap();
    this.#hostConsoles = new HostConsoles({ platform: place.platform, paths, slurm, cap, log });
    this.#timer = setInterval(() => void this.tend(), INTERVAL).unref();
  }

  /** Opens also while Slurm does not answer: nodes go on, and what is to be started waits. */
  static async open(deps: SlurmDeps): Promise<SlurmEngine> {
    const { slurm, paths, restartController, log } = deps;
    await mkdir(paths.virtualRun, { recursive: true, mode: 0o700 });
    const cluster = await Cluster.open(slurm, join(paths.virtualRun, 'jobs.json'), log, restartController);
    const volumes = await VolumeJobs.open({ slurm, place: deps.place, ...deps.volumes, log });
    const engine = new SlurmEngine(deps, cluster, await jobProgram('run-machine.sh'), volumes);
    void engine.tend();
    return engine;
  }

  async hosts(): Promise<EngineHost[]> {
    await this.#cluster.glance();
    return this.#cluster.hosts.filter(runsNodes).map(({ name, memory }) => ({ name, memory }));
  }

  async require(wish: MachineWish): Promise<void> {
    requireModelLimit(wish);
    requireSimple(wish);
    this.#cluster.hostsChanged();
    await this.#cluster.facts();
    requireFit(this.#cluster.hosts, this.#deps.partition, wish);
  }

  async requireRoom(disks: readonly DiskSpec[]): Promise<void> {
    requireNone(disks);
  }

  async diskUse(_id: number, disks: readonly DiskSpec[]): Promise<null[]> {
    return disks.map(() => null);
  }

  async start(placed: Placed): Promise<void> {
    const { id } = placed.machine;
    try {
      await this.#turns.hold(String(id), () => this.#start(placed));
    } catch (error) {
      if (isUserError(error)) this.#refused.set(id, { message: error.message, hint: error.hint });
      throw error;
    }
  }

  async #start(placed: Placed): Promise<void> {
    const { id, disks } = placed.machine;
    requireSimple(placed.machine);
    requireNone(disks);
    const job = await this.#jobOf(placed);
    this.#wanted.set(id, { placed, job });
    this.#refused.delete(id);
    await this.#consoles.follow(placed);
    await this.#hostConsoles.open(id);
    const seen = this.#alive(id);
    if (!seen) return await this.#submit(placed, job);
    if (isAs(seen, job.hash)) return;
    if (seen.state === 'RUNNING') {
      // It ends when its machine does, and another one is started.
      await this.#deps.slurm.comment(seen.job, `${seen.hash} ${job.hash} ${seen.cycle}`);
      this.#cluster.changed();
    } else {
      await endJob(id, this.#cluster, this.#deps.slurm);
      await this.#submit(placed, job);
    }
  }

  /** Throws UserError UNAVAILABLE while nobody knows what runs. */
  async #jobOf(placed: Placed): Promise<Job> {
    const { controllers, slurmdTimeout, slurmdPidFile } = await this.#cluster.facts();
    const place = { ...this.#deps.place, controllers, slurmdTimeout, slurmdPidFile };
    return jobScript(placed, place, this.#program);
  }

  #alive(id: number): JobSeen | undefined {
    const seen = this.#cluster.jobs.get(id);
    return seen?.phase === 'lives' ? seen : undefined;
  }

  async #submit({ machine }: Placed, { script, hash }: Job): Promise<void> {
    const { id, cpuCores, place } = machine;
    try {
      const job = await this.#deps.slurm.submit({
        ...{ id, script, hash, memory: memoryOf(machine), cpuCores, place },
      });
      this.#deps.log.info('machine given to Slurm', { node: id, job });
    } catch (error) {
      if (!isExternalError(error)) throw error;
      throw refusalOf(error.output, this.#deps.partition);
    } finally {
      this.#cluster.changed();
    }
  }

  async reset(placed: Placed): Promise<void> {
    const { id } = placed.machine;
    await this.#turns.hold(String(id), async () => {
      const { hash } = await this.#jobOf(placed);
      const seen = this.#alive(id);
      if (seen?.state === 'RUNNING' && seen.hash === hash) await this.#deps.slurm.signal(seen.job);
      // One that waits starts as soon as it may; what kept it from running may be mended by now.
      else if (seen?.state === 'RUNNING' || seen?.failure) await endJob(id, this.#cluster, this.#deps.slurm);
      await this.#start(placed);
    });
  }

  async stop(id: number): Promise<void> {
    await this.#turns.hold(String(id), () => this.#stop(id));
  }

  async #stop(id: number): Promise<void> {
    this.#wanted.delete(id);
    this.#refused.delete(id);
    // Throws while nobody knows what runs.
    await this.#cluster.facts();
    await endJob(id, this.#cluster, this.#deps.slurm);
  }

  async remove(id: number): Promise<void> {
    await this.#turns.hold(String(id), async () => {
      await this.#stop(id);
      this.#hostConsoles.remove(id);
      this.#consoles.unfollow(id);
      const { folder, runFolder } = machineFiles(id, this.#deps.paths);
      await rm(runFolder, { recursive: true, force: true });
      await rm(folder, { recursive: true, force: true });
    });
  }

  /** What is to run counts, too: that it does is for us to see to. */
  async running(among?: readonly number[]): Promise<ReadonlyMap<number, string>> {
    await this.#cluster.glance();
    const jobs = [...this.#cluster.jobs.values()].filter(({ phase }) => phase === 'lives');
    const all = new Set([...jobs.map(({ id }) => id), ...this.#wanted.keys()]);
    const ids = among ? among.filter((id) => all.has(id)) : [...all].sort((one, other) => one - other);
    return new Map(ids.map((id) => [id, cycleOf(this.#alive(id))]));
  }

  async places(nodes: readonly { id: number; name: string }[]): Promise<ReadonlyMap<number, PlaceSeen>> {
    await this.#cluster.glance();
    const { failure, hosts } = this.#cluster;
    return new Map(
      nodes.map(({ id, name }): [number, PlaceSeen] => {
        const seen = this.#alive(id);
        const away = failure !== undefined && awayWords(name, failure);
        const trouble = seen ? troubleOf(name, seen, hosts) : away || this.#refused.get(id);
        const host = seen?.state === 'RUNNING' ? seen.host : null;
        return [id, trouble ? { host, trouble } : { host }];
      }),
    );
  }

  volumeHosts() {
    return this.#volumes.hosts;
  }

  consolePath(id: number): string {
    return machineFiles(id, this.#deps.paths).consoleSocket;
  }

  consoleLog(id: number): string {
    return this.#consoles.path(id);
  }

  forgetConsole(id: number): Promise<void> {
    return this.#consoles.forget(id);
  }

  /** Looks what became of machines and hosts, and mends what can be. Runs by itself every two seconds. */
  tend(): Promise<void> {
    this.#tending ??= this.#tend()
      .catch((error: unknown) => this.#fail('hosts cannot be looked after', { error: String(error) }))
      .finally(() => {
        this.#tending = undefined;
      });
    return this.#tending;
  }

  async #tend(): Promise<void> {
    await this.#cluster.look();
    this.#hostConsoles.attach(this.#cluster.jobs);
    if (this.#closed || this.#cluster.failure !== undefined) return;
    await this.#ways.open(this.#cluster.hosts);
    await this.#move();
    for (const [id, { placed }] of this.#wanted) await this.#again(id, placed);
    await this.#volumes.tend(this.#cluster.hosts);
  }

  async #move(): Promise<void> {
    const { leave, lost } = movesOf(this.#cluster.jobs.values(), this.#cluster.hosts);
    await Promise.all([...leave, ...lost].map((seen) => this.#renew(seen)));
  }

  /** Another job in place of this one: Slurm finds a host for it. */
  async #renew({ id, job, state, host }: JobSeen): Promise<void> {
    await this.#turns.hold(String(id), async () => {
      const wanted = this.#wanted.get(id);
      if (!wanted || this.#alive(id)?.job !== job) return;
      this.#deps.log.info('machine begins anew', { node: id, job, state, host });
      await endJob(id, this.#cluster, this.#deps.slurm);
      await this.#submit(wanted.placed, wanted.job);
    });
  }

  /** What should run and does not is started again; whoever ended it. */
  async #again(id: number, placed: Placed): Promise<void> {
    const seen = this.#cluster.jobs.get(id);
    const wanted = this.#wanted.get(id);
    if (seen?.phase === 'ends' || (seen?.phase === 'lives' && wanted && isAs(seen, wanted.job.hash))) return;
    await this.#turns.hold(String(id), async () => {
      if (this.#wanted.get(id)?.placed !== placed) return; // meanwhile it is to be another one, or none
      if (seen?.phase === 'over') {
        const { job, state, host } = seen;
        this.#deps.log.warn('machine ended, is started again', { node: id, job, state, host });
      }
      try {
        await this.#start(placed);
      } catch (error) {
        if (!isUserError(error) && !isExternalError(error)) throw error;
        const { message } = error;
        const hint = isUserError(error)
          ? error.hint
          : 'It is tried again. Ask the administrator: scontrol ping';
        this.#refused.set(id, { message, hint });
      }
    });
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#hostConsoles.close();
    this.#consoles.close();
  }
}
