/** What `squeue` prints of the jobs that serve volumes, as data. Pure. */
import { type JobSeen, phaseOf } from './output.ts';

/** Behind the platform's prefix, in front of the host: what such a job is called. */
export const VOLUME_JOB = 'volumes-';

/** A job that serves volumes on a host. */
export interface VolumeJobSeen {
  job: number;
  host: string;
  state: string;
  phase: JobSeen['phase'];
  /** What it is, as its definition's hash; empty: unknown. */
  hash: string;
  /** Copies that it has, and their bytes. */
  count: number;
  bytes: number;
  /** What keeps it from serving, in its own words. */
  failure: string;
}

/** Of `squeue --format JOB_FORMAT`, in the order of their numbers. */
export function parseVolumeJobs(text: string, prefix: string): VolumeJobSeen[] {
  const start = prefix + VOLUME_JOB;
  return text
    .split('\n')
    .flatMap((line): VolumeJobSeen[] => {
      const [job = '', name = '', state = '', , , ...comment] = line.split('|');
      if (!/^\d+$/.test(job) || !name.startsWith(start)) return [];
      const [hash = '', count = '', bytes = '', ...failure] = comment.join('|').split(' ');
      return [
        {
          ...{ job: Number(job), host: name.slice(start.length), state, phase: phaseOf(state) },
          ...{ hash: hash === '(null)' ? '' : hash, count: Number(count), bytes: Number(bytes) },
          failure: failure.join(' '),
        },
      ];
    })
    .sort((one, other) => one.job - other.job);
}
