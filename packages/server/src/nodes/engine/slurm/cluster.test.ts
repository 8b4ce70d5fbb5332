import assert from 'node:assert/strict';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../../../test/platform.ts';
import { Cluster } from './cluster.ts';
import type { JobSeen } from './output.ts';

const JOB: JobSeen = {
  ...{ job: 5, id: 1, state: 'RUNNING', phase: 'lives', host: 'h1', reason: 'None' },
  ...{ hash: 'a', next: 'a', cycle: '-', failure: '' },
};
const FACTS = { version: '23.11.1', controllers: ['c'], slurmdTimeout: 6, slurmdPidFile: '/run/slurmd.pid' };

test('a disk on which nothing can be kept is no silence of Slurm', async (context) => {
  const folder = await temporaryFolder();
  context.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'run', 'jobs.json');
  const slurm = { facts: async () => FACTS, hosts: async () => [], jobs: async () => [JOB] };
  const told: unknown[] = [];
  const log = { info() {}, warn: (...words: unknown[]) => told.push(words), error() {} };
  const cluster = await Cluster.open(slurm, file, log);
  await cluster.look();
  assert.equal(cluster.failure, undefined);
  assert.deepEqual([...cluster.jobs.keys()], [1]);
  assert.equal(told.length, 1);
  // As soon as there is room, though nothing has changed since.
  await mkdir(join(folder, 'run'));
  cluster.changed();
  await cluster.look();
  assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), [[1, JOB]]);
});
