/** Jobs with bytes, which a call opens and a client attaches to: what both sides give each other, and which jobs wait for a client. */
export { feed, type JobClient, untilLeft, whoLeavesBy } from './job.ts';
export { OpenJobs } from './open-jobs.ts';
