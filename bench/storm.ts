/** Many nodes that boot at once: what each costs the server, with WalT's volumes and with an NFS root. The nodes are programs. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Image } from '@walt/contract';
import { run } from '../packages/server/src/platform/index.ts';
import { Platform } from '../test/platform.ts';
import { timeBoot } from './boot-times.ts';
import { exportTree, NFS_ADDRESS } from './nfs-export.ts';
import { benchOptions, progress, refuse } from './options.ts';
import { referenceInitramfs } from './reference-initramfs.ts';
import { ReferenceMachine } from './reference-machine.ts';
import { unpackTree } from './reference-tree.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';
import type { Storm, Weather } from './storm/booter.ts';
import { Cables } from './storm/cables.ts';
import { recordTrace, type Trace } from './storm/trace.ts';

const { runs, json, own } = benchOptions(3, ['sizes']);
/** How many nodes boot at once. */
const sizes = (own.sizes ?? '1,10,50,100,500').split(',').map(Number);
if (sizes.some((size) => !Number.isSafeInteger(size) || size < 1)) refuse('--sizes is a list, as 1,10,50');
/** How many are compared with an NFS root: with more, that takes minutes. */
const COMPARED = Math.min(50, Math.max(...sizes));

/** Machines that make themselves known at once: the server lets no more than so many unknown ones in per second (decision 0070). */
const AT_ONCE = 50;

await using platform = await Platform.start();
const image = (await platform.root.json<Image[]>('image', 'show', '--all'))[0];
if (!image?.kernel) throw new Error('the default image has no kernel');
const { network } = await platform.status();

progress('recording what a node reads of its root, and of an NFS root');
const volumes = await nodesTrace();
const tree = await unpackTree(platform);
await using reference = await exportTree(platform, tree);
const nfsRoot = await referenceTrace(image.kernel);
progress(
  `${volumes.calls} calls, ${volumes.questions.length} asked again; NFS root: ${nfsRoot.calls}, ${nfsRoot.questions.length}`,
);

await using cables = await Cables.plug(platform, Math.max(...sizes));
progress(`${cables.machines.length} machines make themselves known`);
await introduce();

const rows: { size: number; cpu: number; wall: number; slowest: number; memory: number }[] = [];
for (const size of sizes)
  rows.push(await measured(size, `${size} at once`, { nfs: network.server, questions: volumes.questions }));
const walt = await measured(COMPARED, `${COMPARED} with volumes`, {
  nfs: network.server,
  questions: volumes.questions,
});
const other = await measured(COMPARED, `${COMPARED} with an NFS root`, {
  nfs: NFS_ADDRESS,
  questions: nfsRoot.questions,
});

const [first, last] = [rows.find(({ size }) => size >= 10) ?? rows[0], rows.at(-1)];
if (!first || !last) throw new Error('nothing was measured');
conclude(
  {
    bench: 'storm',
    measures: [
      ...rows.flatMap(({ size, cpu, wall, slowest, memory }) => [
        { what: `${size} at once: server CPU per boot`, unit: 'ms', ...once(cpu) },
        { what: `${size} at once: until all have read`, unit: 's', ...once(wall) },
        { what: `${size} at once: the slowest`, unit: 's', ...once(slowest) },
        { what: `${size} at once: memory of server, DHCP and NFS`, unit: 'MB', ...once(memory) },
      ]),
      { what: `${COMPARED} with volumes: NFS CPU per boot`, unit: 'ms', ...once(walt.nfs) },
      { what: `${COMPARED} with an NFS root: NFS CPU per boot`, unit: 'ms', ...once(other.nfs) },
      { what: 'calls of NFS per boot, volumes', unit: '', ...once(volumes.calls) },
      { what: 'calls of NFS per boot, NFS root', unit: '', ...once(nfsRoot.calls) },
    ],
    bounds: [
      {
        claim: `server CPU per boot, ${last.size} : ${first.size} at once`,
        value: last.cpu / first.cpu,
        limit: 1.3,
      },
      {
        claim: 'CPU of the NFS server per boot, NFS root : WalT',
        value: other.nfs / walt.nfs,
        limit: 2,
        atLeast: true,
      },
      {
        claim: 'calls of NFS per boot, NFS root : WalT',
        value: nfsRoot.calls / volumes.calls,
        limit: 5,
        atLeast: true,
      },
    ],
  },
  json,
);

function once(value: number) {
  return summarize([value]);
}

/** A storm, repeated; the median by CPU. */
async function measured(size: number, what: string, root: NonNullable<Storm['root']>) {
  const results = [];
  for (let round = 0; round < runs; round += 1) {
    const before = await usage();
    const start = performance.now();
    const weather = await storm(cables.machines.slice(0, size), root);
    const wall = (performance.now() - start) / 1000;
    const after = await usage();
    const cpu = ((after.cpu - before.cpu) * 1000) / size;
    const nfs = ((after.nfs - before.nfs) * 1000) / size;
    const slowest = Math.max(...weather.machines.map(({ seconds }) => seconds));
    progress(
      `${what}: ${cpu.toFixed(0)} ms of CPU per boot (NFS ${nfs.toFixed(0)}), all in ${wall.toFixed(1)} s`,
    );
    results.push({ size, cpu, nfs, wall, slowest, memory: after.memory / 1e6 });
  }
  const middle = results.toSorted((a, b) => a.cpu - b.cpu)[Math.floor(results.length / 2)];
  if (!middle) throw new RangeError('nothing was measured');
  return middle;
}

async function storm(machines: Storm['machines'], root: Storm['root']): Promise<Weather> {
  const file = join(platform.folder, 'storm.json');
  const task: Storm = { server: network.server, machines, root };
  await writeFile(file, JSON.stringify(task));
  return JSON.parse(await cables.program('booter.ts', file));
}

/** Until every machine is a node with an address of its own. The first boot of each makes what stays: keys, /persist. */
async function introduce(): Promise<void> {
  const found: Weather['machines'] = [];
  for (let from = 0; from < cables.machines.length; from += AT_ONCE) {
    found.push(...(await storm(cables.machines.slice(from, from + AT_ONCE), null)).machines);
  }
  await cables.address(found);
  await storm(cables.machines, { nfs: network.server, questions: [] });
  const nodes = (await platform.node()).filter(({ type }) => type === 'physical');
  if (nodes.length !== cables.machines.length) throw new Error(`only ${nodes.length} machines became nodes`);
  const moved = nodes.filter(({ mac, ip }) => cables.machines.find((one) => one.mac === mac)?.ip !== ip);
  if (moved.length > 0) await cables.address(moved);
}

/** Seconds of CPU and bytes of memory of the programs that serve nodes. */
async function usage(): Promise<{ cpu: number; nfs: number; memory: number }> {
  const pids = await Promise.all(['walt-server', 'dnsmasq', 'nfs'].map((program) => platform.pid(program)));
  const [server, dnsmasq, nfs, root] = await Promise.all([...pids, reference.pid].map(processUsage));
  if (!server || !dnsmasq || !nfs || !root) throw new TypeError('a program is gone');
  return {
    cpu: server.cpu + dnsmasq.cpu + nfs.cpu + root.cpu,
    nfs: nfs.cpu + root.cpu,
    memory: server.memory + dnsmasq.memory + nfs.memory,
  };
}

/** proc_pid_stat(5), fields 14, 15 and 24; clock ticks are hundredths of seconds, pages 4 KiB. */
async function processUsage(pid: number): Promise<{ cpu: number; memory: number }> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  return { cpu: ((fields[11] ?? 0) + (fields[12] ?? 0)) / 100, memory: (fields[21] ?? 0) * 4096 };
}

/** Of a second boot: a first one makes what later ones read ahead. */
async function nodesTrace(): Promise<Trace> {
  await platform.boot('recorded');
  const ip = (await platform.node()).find(({ name }) => name === 'recorded')?.ip ?? '';
  const link = await platform.tapOf('vm-1');
  const file = join(platform.folder, 'frames');
  const trace = await recordTrace({ namespace: platform.namespace, link, ip, file }, async () => {
    await platform.root.ok('node', 'reboot', 'recorded');
    await platform.booted('recorded');
  });
  await platform.root.ok('node', 'remove', 'recorded', '--yes');
  return trace;
}

async function referenceTrace(release: string): Promise<Trace> {
  const initramfs = join(platform.folder, 'initramfs-nfs');
  await writeFile(initramfs, await referenceInitramfs('nfs', tree, release, platform.paths.busybox));
  await ReferenceMachine.makeTap(platform);
  const kernel = join(tree, 'boot', `vmlinuz-${release}`);
  const machine = await ReferenceMachine.make(platform, 'nfs', { kernel, initramfs, server: NFS_ADDRESS });
  const file = join(platform.folder, 'frames');
  try {
    const { namespace } = platform;
    return await recordTrace({ namespace, link: machine.tap, ip: machine.ip, file }, () => timeBoot(machine));
  } finally {
    await machine.powerOff();
    await run(['ip', '-n', platform.namespace, 'link', 'delete', machine.tap]);
  }
}
