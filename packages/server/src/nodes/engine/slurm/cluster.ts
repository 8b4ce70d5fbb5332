import { setTimeout as delay } from 'node:timers/promises';
import {
  isExternalError,
  type Log,
  rarely,
  readIfPresent,
  UserError,
  writeFileAtomic,
} from '../../../platform/index.ts';
import type { ClusterFacts, HostSeen, JobSeen } from './output.ts';
import type { Slurm } from './slurm.ts';

/** Milliseconds for which what Slurm said is believed; and after which one that does not answer is asked again. */
const FRESH = 300;
const AGAIN = 4_000;
/** The same for what changes rarely. */
const HOSTS_FRESH = 4_000;
/** Milliseconds after which a controller that does not answer hangs: its programs try for 5 to 10 s by themselves. */
const HANGS_AFTER = 20_000;
/** Milliseconds that nobody notices. */
const PATIENCE = 1_000;
/** The oldest that does all that is asked of it. */
const OLDEST = 22.05;

type Asked = Pick<Slurm, 'facts' | 'hosts' | 'jobs'>;

/** What a cluster does just now, as last heard. While its controller is away, that is what is true: it changes nothing then. */
export class Cluster {
  readonly #slurm: Asked;
  readonly #file: string;
  readonly #log: Log;
  readonly #warn: Log['warn'];
  readonly #restartController: (() => Promise<void>) | undefined;
  #facts: ClusterFacts | undefined;
  #hosts: readonly HostSeen[] = [];
  /** By node: those that live, and what became of the last one of others. */
  #jobs = new Map<number, JobSeen>();
  /** What `#file` holds of them. */
  #kept = '';
  #hostsAt = 0;
  #jobsAt = 0;
  #failedAt = 0;
  #silentSince = 0;
  #failure: string | undefined;
  #looking: Promise<void> | undefined;

  private constructor(slurm: Asked, file: string, log: Log, restartController?: () => Promise<void>) {
    this.#slurm = slurm;
    this.#file = file;
    this.#log = log;
    this.#warn = rarely(log.warn);
    this.#restartController = restartController;
  }

  /**
   * `file`: what an earlier server heard last, which is what is known until the controller answers. `restartController`: undefined where
   * that is somebody else's; throws ExternalError.
   */
  static async open(
    slurm: Asked,
    file: string,
    log: Log,
    restartController?: () => Promise<void>,
  ): Promise<Cluster> {
    const cluster = new Cluster(slurm, file, log, restartController);
    const known = await readIfPresent(file);
    if (known !== undefined) {
      cluster.#jobs = new Map(JSON.parse(known));
      cluster.#kept = known;
    }
    return cluster;
  }

  get hosts(): readonly HostSeen[] {
    return this.#hosts;
  }

  /** By node; also those that end, or ended lately. */
  get jobs(): ReadonlyMap<number, JobSeen> {
    return this.#jobs;
  }

  /** Why its controller does not answer; undefined: it does. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** After something was changed: what was heard before is old. */
  changed(): void {
    this.#jobsAt = 0;
  }

  /** The same, where hosts may have been added a moment ago. */
  hostsChanged(): void {
    this.#hostsAt = 0;
    this.changed();
  }

  /** Asks again, where that is worth it. Who asks at the same time shares the answer. Throws nothing: see `failure`. */
  async look(): Promise<void> {
    await this.#looking;
    const now = Date.now();
    if (now - this.#jobsAt < FRESH || now - this.#failedAt < AGAIN) return;
    this.#looking ??= this.#ask().finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
  }

  /** The same for who only wants to see: does not wait long for a controller that is away. */
  async glance(): Promise<void> {
    await Promise.race([this.look(), delay(PATIENCE, undefined, { ref: false })]);
  }

  /** What jobs must know. Throws UserError UNAVAILABLE while the controller does not answer, or where it is too old. */
  async facts(): Promise<ClusterFacts> {
    // Whoever orders something may have waited for it to be back.
    this.#failedAt = 0;
    await this.look();
    if (this.#failure !== undefined || !this.#facts) {
      throw new UserError(
        'UNAVAILABLE',
        `Slurm's controller does not answer: ${this.#failure}`,
        'Nodes that run go on. Ask the administrator: scontrol ping',
      );
    }
    if (Number.parseFloat(this.#facts.version) < OLDEST) {
      throw new UserError(
        'UNAVAILABLE',
        `The cluster has Slurm ${this.#facts.version}.`,
        `Virtual nodes need ${OLDEST} or newer: ask the administrator.`,
      );
    }
    return this.#facts;
  }

  async #ask(): Promise<void> {
    // A change while it is asked makes the answer an old one.
    const asked = Date.now();
    this.#jobsAt = asked;
    try {
      this.#facts ??= await this.#slurm.facts();
      if (asked - this.#hostsAt > HOSTS_FRESH) {
        this.#hostsAt = asked;
        this.#hosts = await this.#slurm.hosts();
      }
      await this.#take(await this.#slurm.jobs());
      if (this.#failure !== undefined) this.#log.info('Slurm answers again', {});
      this.#failure = undefined;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (this.#failure === undefined) {
        this.#silentSince = asked;
        this.#log.warn('Slurm does not answer', { reason });
      }
      this.#failure = reason;
      this.#failedAt = Date.now();
      this.#hostsAt = 0;
      if (Date.now() - this.#silentSince > HANGS_AFTER) await this.#restart();
    }
  }

  /** One that ended is started again by itself; one that hangs is not. */
  async #restart(): Promise<void> {
    if (!this.#restartController) return;
    this.#log.warn("Slurm's controller hangs, is started anew", { reason: this.#failure });
    this.#silentSince = Date.now();
    try {
      await this.#restartController();
    } catch (error) {
      if (!isExternalError(error)) throw error;
      this.#log.error("Slurm's controller cannot be started anew", { reason: error.message });
    }
  }

  async #take(jobs: readonly JobSeen[]): Promise<void> {
    const rank = { over: 0, ends: 1, lives: 2 };
    const found = new Map<number, JobSeen>();
    for (const job of jobs) {
      const other = found.get(job.id);
      if (!other || rank[job.phase] >= rank[other.phase]) found.set(job.id, job);
    }
    this.#jobs = found;
    const text = JSON.stringify([...found]);
    if (text === this.#kept) return;
    try {
      await writeFileAtomic(this.#file, text, 0o600);
      this.#kept = text;
    } catch (error) {
      // A full disk is no silence of Slurm's: the next server knows a little less until it has asked.
      this.#warn('what Slurm told of machines cannot be kept', { error: String(error) });
    }
  }
}
