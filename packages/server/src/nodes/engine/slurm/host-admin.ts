/** Hosts of the cluster as the administrator looks at them, and takes them in and out of use. */
import { type Paths, type SlurmConfig, UserError } from '../../../platform/index.ts';
import { keepsVolumes, runsNodes } from './features.ts';
import { isDrained, isInUse, isOut } from './fit.ts';
import { openSlurm } from './open.ts';
import type { HostSeen, JobSeen } from './output.ts';
import type { Slurm } from './slurm.ts';
import type { VolumeJobSeen } from './volume-jobs-output.ts';

export interface HostListed {
  name: string;
  address: string;
  /** `in use`: machines begin there. `drained`: none does, and those that run leave. `out of use`: it is down, or Slurm has a reason. */
  state: 'in use' | 'drained' | 'out of use';
  /** As Slurm tells its state, as `IDLE` or `DOWN+NOT_RESPONDING`. */
  slurm: string;
  /** Why it is not in use; null: it is, or nobody said. */
  reason: string | null;
  /** Machines of this platform that run there. */
  machines: number;
  /** MiB. */
  memory: number;
  cpus: number;
  features: readonly string[];
  /** False: it only keeps copies of volumes. */
  runsNodes: boolean;
  /** Copies of volumes that it serves, their bytes, and what keeps it from that; null: it keeps none. */
  volumes: { count: number; bytes: number; failure: string | null } | null;
}

type Where = Pick<Paths, 'identity'>;

/** By name. Throws ExternalError when Slurm does not answer. */
export async function listHosts(config: SlurmConfig, paths: Where): Promise<HostListed[]> {
  const slurm = await openSlurm(config, paths);
  const [hosts, jobs, volumes] = await Promise.all([slurm.hosts(), slurm.jobs(), slurm.volumeJobs()]);
  return hosts
    .map((host) => listed(host, jobs, volumes))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

/**
 * Nothing begins there any more, and the server lets what runs there begin elsewhere. Answers how many machines that are. Throws
 * UserError NOT_FOUND when the partition has no such host.
 */
export async function drainHost(
  config: SlurmConfig,
  paths: Where,
  name: string,
  reason: string,
): Promise<number> {
  const slurm = await openSlurm(config, paths);
  const host = await requireHost(slurm, name);
  await slurm.setState(name, 'drain', reason);
  return listed(host, await slurm.jobs()).machines;
}

/** It is used again. Throws as `drainHost`, and UserError CONFLICT when it is in use. */
export async function resumeHost(config: SlurmConfig, paths: Where, name: string): Promise<void> {
  const slurm = await openSlurm(config, paths);
  if (!isOut(await requireHost(slurm, name)))
    throw new UserError(
      'CONFLICT',
      `${name} is in use already.`,
      'See all hosts with: walt-server host list',
    );
  await slurm.setState(name, 'resume');
}

async function requireHost(slurm: Slurm, name: string): Promise<HostSeen> {
  const hosts = await slurm.hosts();
  const found = hosts.find((host) => host.name === name);
  if (found) return found;
  const names = hosts.map((host) => host.name);
  throw new UserError(
    'NOT_FOUND',
    `The partition of virtual nodes has no host "${name}".`,
    names.length === 0 ? 'It has none at all: see sinfo' : `Its hosts: ${names.join(', ')}`,
  );
}

/** Pure. `jobs`: of machines. */
export function listed(
  host: HostSeen,
  jobs: readonly JobSeen[],
  volumeJobs: readonly VolumeJobSeen[] = [],
): HostListed {
  const { name, address, states, reason, memory, cpus, features } = host;
  const runs = (job: JobSeen) => job.state === 'RUNNING' && job.host === name;
  return {
    ...{ name, address, memory, cpus, features },
    state: isInUse(host) ? 'in use' : isDrained(host) ? 'drained' : 'out of use',
    slurm: states.join('+'),
    reason: isInUse(host) ? null : reason,
    machines: jobs.filter(runs).length,
    runsNodes: runsNodes(host),
    volumes: volumesOf(host, volumeJobs),
  };
}

function volumesOf(host: HostSeen, jobs: readonly VolumeJobSeen[]): HostListed['volumes'] {
  if (!keepsVolumes(host)) return null;
  const own = jobs.filter((job) => job.host === host.name);
  const running = own.findLast(({ state }) => state === 'RUNNING');
  const { count = 0, bytes = 0 } = running ?? {};
  return { count, bytes, failure: running ? null : own.at(-1)?.failure || null };
}
