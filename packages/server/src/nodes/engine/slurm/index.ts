/** Machines of virtual nodes on the hosts of a Slurm cluster. Alone knows Slurm's programs. */
export { drainHost, type HostListed, listHosts, resumeHost } from './host-admin.ts';
export { endJobs, openSlurmEngine } from './open.ts';
export type { VolumeJobsDeps } from './volumes/index.ts';
