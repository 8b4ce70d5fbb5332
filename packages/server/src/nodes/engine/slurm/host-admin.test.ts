import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listed } from './host-admin.ts';
import type { HostSeen, JobSeen } from './output.ts';

const HOST: HostSeen = {
  ...{ name: 'h1', address: '198.18.0.11', states: ['MIXED'], memory: 8000, cpus: 8 },
  ...{ features: ['kvm'], reason: null },
};

function job(id: number, state: string, host: string | null): JobSeen {
  return {
    ...{ job: id, id, state, phase: 'lives', host, reason: 'None' },
    ...{ hash: '', next: '', cycle: '-', failure: '' },
  };
}

const cases: [what: string, seen: Partial<HostSeen>, state: string, reason: string | null][] = [
  ['one that runs something', {}, 'in use', null],
  ['an old reason', { states: ['IDLE'], reason: 'was cleaned' }, 'in use', null],
  ['one that is drained', { states: ['IDLE', 'DRAIN'], reason: 'a new fan' }, 'drained', 'a new fan'],
  ['one that is emptied', { states: ['MIXED', 'DRAIN'], reason: 'a new fan' }, 'drained', 'a new fan'],
  [
    'one that is down',
    { states: ['DOWN', 'NOT_RESPONDING'], reason: 'Not responding' },
    'out of use',
    'Not responding',
  ],
  ['one that is silent', { states: ['IDLE*'] }, 'out of use', null],
];
for (const [what, seen, state, reason] of cases) {
  test(`whether a host is in use: ${what}`, () => {
    const found = listed({ ...HOST, ...seen }, []);
    assert.deepEqual([found.state, found.reason], [state, reason]);
  });
}

test('machines of a host are those that run there', () => {
  const jobs = [
    job(1, 'RUNNING', 'h1'),
    job(2, 'RUNNING', 'h2'),
    job(3, 'PENDING', null),
    job(4, 'RUNNING', 'h1'),
  ];
  assert.equal(listed(HOST, jobs).machines, 2);
});
