/** What Slurm 22.05.8 of Debian 12 prints. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCluster, parseHosts, parseJobs } from './output.ts';

test('jobs of a platform are told apart from others, those that live from those that ended', () => {
  const text = `1|walt-cfded558-1|RUNNING|h1|None|dfd599c4c5b5 21b670ba3773 1796002032256461
7|walt-cfded558-2|PENDING||job requeued in held state|3c0651212028 3c0651212028 - h2: QEMU ends at once: a|b
3|walt-cfded558-3|CANCELLED|h1|None|(null)
8|walt-cfded558-4|COMPLETING|h2|None|abc abc 1
9|walt-cfded558-5|PENDING||ReqNodeNotAvail, UnavailableNodes:h[1-2]|abc abc -
4|walt-0d3c1a99-1|RUNNING|h1|None|abc abc 1
5|train|RUNNING|h1|None|(null)
6|walt-cfded558-x|RUNNING|h1|None|(null)

`;
  assert.deepEqual(
    parseJobs(text, 'walt-cfded558-').map(({ job, id, phase, host, reason, hash, next, cycle, failure }) => [
      job,
      id,
      phase,
      host,
      reason,
      hash,
      next,
      cycle,
      failure,
    ]),
    [
      [1, 1, 'lives', 'h1', 'None', 'dfd599c4c5b5', '21b670ba3773', '1796002032256461', ''],
      [3, 3, 'over', 'h1', 'None', '', '', '-', ''],
      [
        7,
        2,
        'lives',
        null,
        'job requeued in held state',
        '3c0651212028',
        '3c0651212028',
        '-',
        'h2: QEMU ends at once: a|b',
      ],
      [8, 4, 'ends', 'h2', 'None', 'abc', 'abc', '1', ''],
      [9, 5, 'lives', null, 'ReqNodeNotAvail, UnavailableNodes:h[1-2]', 'abc', 'abc', '-', ''],
    ],
  );
});

const NODES = `NodeName=h1 Arch=x86_64 CoresPerSocket=1  CPUAlloc=1 CPUEfctv=16 CPUTot=16 CPULoad=5.56 AvailableFeatures=kvm,gpu ActiveFeatures=kvm,gpu Gres=(null) NodeAddr=198.18.0.11 NodeHostName=h1 Version=22.05.8 OS=Linux 6.18.44 #1 SMP PREEMPT_DYNAMIC @0  RealMemory=16000 AllocMem=500 FreeMem=16878 Sockets=16 Boards=1 State=MIXED ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A Partitions=walt  BootTime=2026-11-30T01:02:28 SlurmdStartTime=2026-11-30T01:10:48 CfgTRES=cpu=16,mem=16000M,billing=16 AllocTRES=cpu=1,mem=500M CapWatts=n/a ExtSensorsTemp=n/s
NodeName=h2 Arch=x86_64 CoresPerSocket=1  CPUAlloc=0 CPUEfctv=16 CPUTot=8 AvailableFeatures=(null) ActiveFeatures=(null) Gres=(null) NodeAddr=h2.lab NodeHostName=h2 RealMemory=8000 State=DOWN+DRAIN+NOT_RESPONDING Partitions=all,walt  BootTime=None Reason=fan = broken, ask Ann [root@2026-11-30T01:12:18]
NodeName=h3 CPUTot=8 ActiveFeatures=(null) NodeAddr=h3 RealMemory=8000 State=IDLE Partitions=all

`;

test('hosts of a partition', () => {
  assert.deepEqual(parseHosts(NODES, 'walt'), [
    {
      ...{ name: 'h1', address: '198.18.0.11', states: ['MIXED'], memory: 16_000, cpus: 16 },
      ...{ features: ['kvm', 'gpu'], reason: null },
    },
    {
      ...{
        name: 'h2',
        address: 'h2.lab',
        states: ['DOWN', 'DRAIN', 'NOT_RESPONDING'],
        memory: 8000,
        cpus: 8,
      },
      ...{ features: [], reason: 'fan = broken, ask Ann' },
    },
  ]);
  assert.deepEqual(parseHosts('No nodes in the system\n', 'walt'), []);
});

test('what jobs must know of the cluster', () => {
  const text = `Configuration data as of 2026-11-30T01:12:22
AuthInfo                = socket=/run/munge/munge.socket.2,cred_expire=10
SlurmctldHost[0]        = vm(198.18.0.1)
SlurmctldHost[1]        = other
SlurmdPidFile           = /run/slurmd.%n.pid
SlurmdTimeout           = 6 sec
SLURM_VERSION           = 22.05.8
`;
  assert.deepEqual(parseCluster(text), {
    ...{ version: '22.05.8', controllers: ['198.18.0.1', 'other'] },
    ...{ slurmdTimeout: 6, slurmdPidFile: '/run/slurmd.%n.pid' },
  });
  assert.equal(parseCluster(''), undefined);
});
