/** Jobs of Slurm that keep copies of volumes on hosts, and serve them there. */
export { volumeHostsOf } from './plan-jobs.ts';
export { VolumeJobs, type VolumeJobsDeps } from './volume-jobs.ts';
export { copiesFile, type VolumePlace } from './volume-script.ts';
