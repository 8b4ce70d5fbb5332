import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '../../platform/index.ts';
import type { Job } from './job.ts';
import { OpenJobs } from './open-jobs.ts';

const gone = (error: unknown) => error instanceof UserError && error.code === 'NOT_FOUND';
const job = (): Job => async () => undefined;

test('a job is good once, for its user, within a minute', (t) => {
  t.mock.timers.enable({ apis: ['Date'] });
  const jobs = new OpenJobs();
  const own = job();
  const [used, others, old] = [jobs.open('ann', own), jobs.open('ann', job()), jobs.open('ann', job())];
  assert.equal(jobs.take('ann', used), own);
  assert.throws(() => jobs.take('ann', used), gone);
  assert.throws(() => jobs.take('bob', others), gone);
  jobs.take('ann', others);
  t.mock.timers.tick(60_001);
  assert.throws(() => jobs.take('ann', old), gone);
});

test('who opens many loses his own oldest ones, and nobody else loses any', () => {
  const jobs = new OpenJobs();
  const bobs = jobs.open('bob', job());
  const anns = Array.from({ length: 1000 }, () => jobs.open('ann', job()));
  jobs.take('bob', bobs);
  const left = anns.filter((id) => {
    try {
      return jobs.take('ann', id);
    } catch {
      return false;
    }
  });
  assert.deepEqual(left, anns.slice(-64));
});
