/** Machines of virtual nodes on the hosts of a Slurm cluster. Alone knows Slurm's programs. */
export { endJobs, openSlurmEngine } from './open.ts';
