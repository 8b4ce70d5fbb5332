import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDrained, isInUse, isOut, refusalOf, requireFit, troubleOf } from './fit.ts';
import type { HostSeen, JobSeen } from './output.ts';

const h1: HostSeen = {
  ...{ name: 'h1', address: '192.0.2.1', states: ['IDLE'], memory: 4096, cpus: 4 },
  ...{ features: ['kvm'], reason: null },
};
const h2: HostSeen = { ...h1, name: 'h2', memory: 2048, features: [] };
const keeper: HostSeen = { ...h1, name: 'keeper', features: ['volumes', 'no-nodes'] };
const wish = { ramMiB: 1024, cpuCores: 1, place: { features: [] } };

const unfit: [
  what: string,
  hosts: HostSeen[],
  wish: Partial<Parameters<typeof requireFit>[2]>,
  told: RegExp,
][] = [
  ['no host at all', [], {}, /partition walt has no hosts/],
  ['one that runs no nodes, alone', [keeper], {}, /partition walt has no hosts that run virtual nodes/],
  [
    'one that runs no nodes, by name',
    [h1, keeper],
    { place: { host: 'keeper', features: [] } },
    /keeper keeps volumes, and runs no nodes/,
  ],
  [
    'one that runs no nodes, by what it has',
    [h1, keeper],
    { place: { features: ['volumes'] } },
    /No host has/,
  ],
  ['another host', [h1, h2], { place: { host: 'h3', features: [] } }, /There is no host "h3"/],
  ['what none has', [h1, h2], { place: { features: ['kvm', 'gpu'] } }, /No host has kvm and gpu/],
  ['more memory', [h1, h2], { ramMiB: 3713 }, /has 4097 MiB of memory.*: h1 has the most, 4096 MiB/],
  [
    'more memory than those have that it may be on',
    [h1, h2],
    { ramMiB: 3000, place: { host: 'h2', features: [] } },
    /h2 has the most/,
  ],
  ['more cores', [h1], { cpuCores: 5 }, /has 5 CPU cores: h1 has the most, 4/],
];
for (const [what, hosts, part, told] of unfit) {
  test(`no host fits: ${what}`, () => {
    assert.throws(() => requireFit(hosts, 'walt', { ...wish, ...part }), {
      name: 'UserError',
      message: told,
    });
  });
}

test('a host fits, in use or not', () => {
  const down = { ...h1, states: ['DOWN'] };
  requireFit([down], 'walt', { ...wish, ramMiB: 3712, cpuCores: 4, place: { features: ['kvm'] } });
});

const uses: [state: string, used: boolean, drained: boolean, out: boolean][] = [
  ['IDLE', true, false, false],
  ['IDLE*', false, false, false],
  ['MIXED', true, false, false],
  ['ALLOCATED+COMPLETING', true, false, false],
  ['IDLE+DRAIN', false, true, true],
  ['MIXED+DRAIN', false, true, true],
  ['DOWN', false, false, true],
  ['MIXED+NOT_RESPONDING', false, false, false],
  ['DOWN*', false, false, true],
];
for (const [state, used, drained, out] of uses) {
  test(`a host that is ${state} is ${used ? '' : 'not '}in use`, () => {
    const host = { ...h1, states: state.split('+') };
    assert.deepEqual([isInUse(host), isDrained(host), isOut(host)], [used, drained, out]);
  });
}

const job: JobSeen = {
  ...{ job: 12, id: 1, state: 'RUNNING', phase: 'lives', host: 'h1' },
  ...{ reason: 'None', hash: 'abc', next: 'abc', cycle: '1', failure: '' },
};
const pending = { state: 'PENDING', host: null };
const down: HostSeen = { ...h1, states: ['DOWN', 'NOT_RESPONDING'], reason: 'Not responding' };
const drained: HostSeen = { ...h2, states: ['IDLE', 'DRAIN'], reason: 'repair' };

const troubles: [what: string, job: Partial<JobSeen>, hosts: HostSeen[], told: RegExp | undefined][] = [
  ['one that runs', {}, [h1], undefined],
  [
    'one whose host is silent',
    {},
    [{ ...h1, states: ['MIXED', 'NOT_RESPONDING'] }],
    /^h1, the host of n1, does not answer/,
  ],
  ['one that is about to start', pending, [h1], undefined],
  ['one that lost its host', { ...pending, reason: 'BeginTime' }, [down], undefined],
  ['one that ends before it', { ...pending, reason: 'Dependency' }, [h1], undefined],
  ['no room', { ...pending, reason: 'Resources' }, [h1], /^n1 waits for a host \(Resources\)\.$/],
  [
    'no host',
    { ...pending, reason: 'ReqNodeNotAvail, UnavailableNodes:h[1-2]' },
    [down, drained],
    /waits for a host \(.*\): h1 is down \(Not responding\), h2 is drained \(repair\)\.$/,
  ],
  ['held', { ...pending, reason: 'JobHeldAdmin' }, [h1], /job 12, which somebody holds/],
  ['held when it ran', { ...pending, reason: 'job requeued in held state' }, [h1], /which somebody holds/],
  ['suspended', { state: 'SUSPENDED' }, [h1], /suspended the machine of n1 on h1, which is Slurm's job 12/],
  [
    'what the job itself told',
    { ...pending, reason: 'job requeued in held state', failure: 'h1: the program nft is missing' },
    [h1],
    /^n1 cannot run on h1: the program nft is missing$/,
  ],
];
for (const [what, part, hosts, told] of troubles) {
  test(`told of a machine: ${what}`, () => {
    const words = troubleOf('n1', { ...job, ...part }, hosts);
    if (told === undefined) assert.equal(words, undefined);
    else assert.match(words?.message ?? '', told);
  });
}

const refusals: [output: string, message: RegExp, hint: RegExp][] = [
  [
    'sbatch: error: invalid partition specified: walt\nsbatch: error: Batch job submission failed: Invalid partition name specified\n',
    /^Slurm does not take the node's machine: Batch job submission failed: Invalid partition name specified$/,
    /scontrol show partition walt/,
  ],
  [
    'sbatch: error: Batch job submission failed: Required partition not available (inactive or drain)\n',
    /Required partition not available/,
    /scontrol show partition walt/,
  ],
  [
    'sbatch: error: Batch job submission failed: Invalid feature specification',
    /Invalid feature/,
    /walt node config NODE/,
  ],
  ['sbatch: error: Batch job submission failed: Access denied', /Access denied/, /sinfo/],
];
for (const [output, message, hint] of refusals) {
  test(`told of a refusal: ${output.trim()}`, () => {
    const refusal = refusalOf(output, 'walt');
    assert.match(refusal.message, message);
    assert.match(refusal.hint, hint);
  });
}
