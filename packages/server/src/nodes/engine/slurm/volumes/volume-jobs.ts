import { isExternalError, type Log } from '../../../../platform/index.ts';
import type { VolumeHost } from '../../engine.ts';
import { type JobPlace, jobProgram } from '../job-script.ts';
import type { HostSeen } from '../output.ts';
import type { Slurm } from '../slurm.ts';
import { planJobs, volumeHostsOf } from './plan-jobs.ts';
import { type VolumePlace, type VolumeScript, volumeScript } from './volume-script.ts';

export interface VolumeJobsDeps {
  slurm: Slurm;
  place: Pick<JobPlace, 'platform' | 'server' | 'vxlanPort'>;
  /** The WalT server on walt-net. */
  walt: { server: string; prefix: number; cidr: string };
  servers: {
    /** The same at each call. */
    place(host: string): Promise<VolumePlace>;
    /** Names of hosts from which nodes have mounted volumes. */
    used(): Promise<ReadonlySet<string>>;
  };
  log: Log;
}

/** Sees to it that a job of Slurm serves volumes on each host that keeps some. */
export class VolumeJobs {
  readonly #deps: VolumeJobsDeps;
  readonly #program: string;
  #hosts: readonly VolumeHost[] | undefined;
  /** When a job was last begun, by host. Seconds. */
  readonly #begun = new Map<string, number>();
  /** False once there are no hosts, and no job was left. */
  #mayRun = true;

  private constructor(deps: VolumeJobsDeps, program: string) {
    this.#deps = deps;
    this.#program = program;
  }

  static async open(deps: VolumeJobsDeps): Promise<VolumeJobs> {
    return new VolumeJobs(deps, await jobProgram('volumes/serve-volumes.sh'));
  }

  /** As last heard of; undefined: not yet. */
  get hosts(): readonly VolumeHost[] | undefined {
    return this.#hosts;
  }

  /** `all`: hosts of the partition. Throws ExternalError when Slurm does not answer. */
  async tend(all: readonly HostSeen[]): Promise<void> {
    const { slurm, servers, log } = this.#deps;
    const hosts = volumeHostsOf(all);
    this.#hosts = hosts;
    if (hosts.length === 0 && !this.#mayRun) return;
    const jobs = await slurm.volumeJobs();
    this.#mayRun = jobs.some(({ phase }) => phase !== 'over');
    const wanted = new Map<string, VolumeScript>();
    for (const { name, inUse } of hosts) if (inUse) wanted.set(name, await this.#script(name));
    const hashes = new Map([...wanted].map(([host, { hash }]) => [host, hash]));
    const known = { hashes, used: await servers.used(), begun: this.#begun };
    const { end, begin } = planJobs(hosts, jobs, known, now());
    await slurm.cancel(end);
    for (const host of begin) {
      const failure = jobs.findLast((job) => job.host === host)?.failure;
      if (failure) log.warn('a host cannot serve volumes, which is tried again', { host, failure });
      const script = wanted.get(host);
      if (!script) continue;
      this.#begun.set(host, now());
      try {
        const job = await slurm.submitVolumes(host, script);
        log.info('volumes are served on a host', { host, job });
      } catch (error) {
        if (!isExternalError(error)) throw error;
        log.warn('Slurm does not take what serves volumes', { host, reason: error.message });
      }
    }
  }

  async #script(host: string): Promise<VolumeScript> {
    const { place, walt, servers } = this.#deps;
    return volumeScript(await servers.place(host), place, walt, this.#program);
  }
}

function now(): number {
  return Date.now() / 1000;
}
