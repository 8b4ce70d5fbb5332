import { randomBytes } from 'node:crypto';
import { UserError } from '../../platform/index.ts';
import type { Job } from './job.ts';

/** Milliseconds between the opening of a job and its client. */
const LIFE = 60_000;
/** Jobs of a user that wait; each holds what it was opened with, up to a megabyte. The oldest goes first. */
const MAX_OF_USER = 64;

interface OpenJob {
  user: string;
  job: Job;
  /** Unix time in milliseconds. */
  until: number;
}

/** Jobs that wait for their client: each for one attachment, within a minute, by the user who opened it. */
export class OpenJobs {
  /** Oldest first. */
  readonly #jobs = new Map<string, OpenJob>();

  /** Answers the job's id. */
  open(user: string, job: Job): string {
    this.#forgetOld();
    const own = [...this.#jobs].filter(([, waiting]) => waiting.user === user);
    const [oldest] = own;
    if (oldest && own.length >= MAX_OF_USER) this.#jobs.delete(oldest[0]);
    const id = randomBytes(16).toString('hex');
    this.#jobs.set(id, { user, job, until: Date.now() + LIFE });
    return id;
  }

  /** Throws UserError NOT_FOUND for a job that is unknown, taken, too old or another user's. */
  take(user: string, id: string): Job {
    this.#forgetOld();
    const found = this.#jobs.get(id);
    if (found?.user !== user) {
      throw new UserError('NOT_FOUND', 'What was prepared is not there any more.', 'Repeat the command.');
    }
    this.#jobs.delete(id);
    return found.job;
  }

  #forgetOld(): void {
    for (const [id, { until }] of this.#jobs) if (until < Date.now()) this.#jobs.delete(id);
  }
}
