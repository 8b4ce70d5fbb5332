/** Machines of virtual nodes on the hosts of a Slurm cluster. Alone knows Slurm's programs. */
export { drainHost, type HostListed, listHosts, resumeHost } from './host-admin.ts';
export { deleteCopies, endJobs, openSlurmEngine } from './open.ts';
export {
  addHost,
  clusterRuns,
  endCluster,
  type HostWish,
  knownHosts,
  removeHost,
  restartController,
  startCluster,
  untilAnswers,
} from './own/index.ts';
export type { VolumeJobsDeps } from './volumes/index.ts';
