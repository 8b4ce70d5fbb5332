/** Which jobs should serve volumes. Pure. */
import type { VolumeHost } from '../../engine.ts';
import { keepsVolumes } from '../features.ts';
import { isDrained, isInUse } from '../fit.ts';
import type { HostSeen } from '../output.ts';
import type { VolumeJobSeen } from '../volume-jobs-output.ts';

/** Seconds before another attempt on a host where something is to be mended first; and where the job just ended. */
const AFTER_FAILURE = 60;
const AFTER_END = 5;

export function volumeHostsOf(hosts: readonly HostSeen[]): VolumeHost[] {
  return hosts
    .filter(keepsVolumes)
    .map((host) => ({ name: host.name, inUse: isInUse(host), isDrained: isDrained(host) }));
}

export interface JobsPlan {
  /** Numbers of jobs. */
  end: number[];
  /** Names of hosts. */
  begin: string[];
}

/**
 * `hashes`: what the job of each host should be. `used`: hosts from which nodes have mounted volumes. `begun`: when a job was last begun
 * there. Times in seconds.
 */
export function planJobs(
  hosts: readonly VolumeHost[],
  jobs: readonly VolumeJobSeen[],
  known: {
    hashes: ReadonlyMap<string, string>;
    used: ReadonlySet<string>;
    begun: ReadonlyMap<string, number>;
  },
  now: number,
): JobsPlan {
  const inUse = new Set(hosts.filter((host) => host.inUse).map(({ name }) => name));
  const alive = jobs.filter(({ phase }) => phase === 'lives');
  const isRight = ({ host, hash }: VolumeJobSeen) => inUse.has(host) && hash === known.hashes.get(host);
  // Nodes that use one which is to go are brought elsewhere first.
  const stays = (job: VolumeJobSeen) => isRight(job) || (!inUse.has(job.host) && known.used.has(job.host));
  const kept = new Set(alive.filter(stays).map(({ host }) => host));
  const mayBegin = (host: string) => {
    const last = jobs.findLast((job) => job.host === host);
    const pause = last?.phase === 'over' && last.failure !== '' ? AFTER_FAILURE : AFTER_END;
    return now - (known.begun.get(host) ?? Number.NEGATIVE_INFINITY) >= pause;
  };
  return {
    end: alive.filter((job) => !stays(job)).map(({ job }) => job),
    begin: [...inUse].filter((host) => !kept.has(host) && mayBegin(host)),
  };
}
