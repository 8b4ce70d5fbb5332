import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HostSeen } from '../output.ts';
import { parseVolumeJobs, type VolumeJobSeen } from '../volume-jobs-output.ts';
import { planJobs, volumeHostsOf } from './plan-jobs.ts';

const job = (wish: Partial<VolumeJobSeen>): VolumeJobSeen => ({
  ...{ job: 1, host: 'h1', state: 'RUNNING', phase: 'lives', hash: 'aa', count: 0, bytes: 0, failure: '' },
  ...wish,
});
const used = { name: 'h1', inUse: true, isDrained: false };
const drained = { name: 'h1', inUse: false, isDrained: true };
const over = job({ state: 'FAILED', phase: 'over' });

const table: [
  what: string,
  hosts: (typeof used)[],
  jobs: VolumeJobSeen[],
  /** Seconds since one was begun; undefined: never. */
  since: number | undefined,
  users: string[],
  expected: { end: number[]; begin: string[] },
][] = [
  ['a host begins', [used], [], undefined, [], { end: [], begin: ['h1'] }],
  ['one that runs goes on', [used], [job({})], 5, [], { end: [], begin: [] }],
  ['one of another kind makes room', [used], [job({ hash: 'bb' })], 50, [], { end: [1], begin: ['h1'] }],
  ['one that ended begins again', [used], [over], 50, [], { end: [], begin: ['h1'] }],
  ['not at once', [used], [over], 4, [], { end: [], begin: [] }],
  [
    'where something is to be mended, later',
    [used],
    [{ ...over, failure: 'curl is missing' }],
    50,
    [],
    { end: [], begin: [] },
  ],
  ['a drained host ends', [drained], [job({})], 50, [], { end: [1], begin: [] }],
  ['not while nodes use it', [drained], [job({})], 50, ['h1'], { end: [], begin: [] }],
  ['a host that keeps none any more ends', [], [job({})], 50, [], { end: [1], begin: [] }],
];
for (const [what, hosts, jobs, since, users, expected] of table) {
  test(what, () => {
    const known = {
      hashes: new Map([['h1', 'aa']]),
      used: new Set(users),
      begun: new Map(since === undefined ? [] : [['h1', 1000 - since]]),
    };
    assert.deepEqual(planJobs(hosts, jobs, known, 1000), expected);
  });
}

test('hosts that keep volumes have that feature', () => {
  const host: HostSeen = {
    ...{
      name: 'h1',
      address: 'h1',
      states: ['IDLE', 'DRAIN'],
      memory: 1,
      cpus: 1,
      features: ['kvm', 'volumes'],
    },
    reason: null,
  };
  assert.deepEqual(volumeHostsOf([host, { ...host, features: ['kvm'] }]), [drained]);
});

test('its comment tells what a job has, and why it does not serve', () => {
  const text = [
    '7|walt-x-volumes-h1|RUNNING|h1|None|aa 12 3456',
    '8|walt-x-volumes-h-2|FAILED|h-2|NonZeroExitCode|aa 0 0 the program curl is missing',
    '9|walt-x-3|RUNNING|h1|None|aa aa 1',
    '10|walt-y-volumes-h1|RUNNING|h1|None|aa 1 1',
    '11|walt-x-volumes-h3|PENDING||Resources|(null)',
  ].join('\n');
  assert.deepEqual(
    parseVolumeJobs(text, 'walt-x-').map((one) => [
      one.job,
      one.host,
      one.phase,
      one.count,
      one.bytes,
      one.failure,
    ]),
    [
      [7, 'h1', 'lives', 12, 3456, ''],
      [8, 'h-2', 'over', 0, 0, 'the program curl is missing'],
      [11, 'h3', 'lives', 0, 0, ''],
    ],
  );
});
