import assert from 'node:assert/strict';
import { test } from 'node:test';
import { movesOf } from './moves.ts';
import type { HostSeen, JobSeen } from './output.ts';

const host = (name: string, ...states: string[]): HostSeen => ({
  ...{ name, address: '192.0.2.1', states, memory: 1000, cpus: 1, features: [], reason: null },
});
const job = (id: number, part: Partial<JobSeen>): JobSeen => ({
  ...{ job: id, id, state: 'RUNNING', phase: 'lives', host: 'h1' },
  ...{ reason: 'None', hash: 'abc', next: 'abc', cycle: '1', failure: '' },
  ...part,
});
const lost = { state: 'PENDING', host: null, reason: 'BeginTime' };

const table: [what: string, jobs: JobSeen[], hosts: HostSeen[], leave: number[], lost: number[]][] = [
  ['all is well', [job(1, {})], [host('h1', 'MIXED')], [], []],
  [
    'a drained host becomes empty',
    [job(1, {}), job(2, { host: 'h2' }), job(3, { phase: 'ends' })],
    [host('h1', 'MIXED', 'DRAIN'), host('h2', 'IDLE')],
    [1],
    [],
  ],
  [
    'no other host runs nodes',
    [job(1, {})],
    [host('h1', 'MIXED', 'DRAIN'), { ...host('h2', 'IDLE'), features: ['no-nodes'] }],
    [],
    [],
  ],
  ['no other host is in use', [job(1, {})], [host('h1', 'MIXED', 'DRAIN'), host('h2', 'DOWN')], [], []],
  ['a host was lost', [job(1, lost), job(2, { ...lost, cycle: '-' })], [host('h2', 'IDLE')], [], [1]],
  [
    'somebody holds it',
    [job(1, { ...lost, reason: 'job requeued in held state' })],
    [host('h2', 'IDLE')],
    [],
    [],
  ],
];
for (const [what, jobs, hosts, leave, gone] of table) {
  test(what, () => {
    const moves = movesOf(jobs, hosts);
    const numbers = (some: JobSeen[]) => some.map(({ id }) => id);
    assert.deepEqual([numbers(moves.leave), numbers(moves.lost)], [leave, gone]);
  });
}
