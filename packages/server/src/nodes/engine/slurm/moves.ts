/** Which machines are to begin anew, elsewhere. Pure. */
import { runsNodes } from './features.ts';
import { isDrained, isHeld, isInUse } from './fit.ts';
import type { HostSeen, JobSeen } from './output.ts';

export interface Moves {
  /** They leave a host that is drained, where another one is in use. */
  leave: JobSeen[];
  /**
   * They lost their host, and wait until Slurm's credentials for it end. Nor may they run there again when it is back: what is left of
   * them makes Slurm drain it (`Duplicate jobid`). A job with another number has neither trouble.
   */
  lost: JobSeen[];
}

export function movesOf(all: Iterable<JobSeen>, hosts: readonly HostSeen[]): Moves {
  const jobs = [...all].filter(({ phase }) => phase === 'lives');
  const drained = new Set(hosts.filter(isDrained).map(({ name }) => name));
  const leave = jobs.filter(({ state, host }) => state === 'RUNNING' && drained.has(host ?? ''));
  return {
    leave: hosts.some((host) => runsNodes(host) && isInUse(host)) ? leave : [],
    lost: jobs.filter((job) => job.state === 'PENDING' && job.cycle !== '-' && !isHeld(job)),
  };
}
