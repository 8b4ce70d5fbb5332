/** Nodes that boot at once, with volumes from the server alone and from hosts with copies, too: what is left to the server's NFS server. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { namesIn, run } from '../packages/server/src/platform/index.ts';
import { Cluster } from '../test/hosts/cluster.ts';
import { Platform } from '../test/platform.ts';
import { until } from '../test/until.ts';
import { benchOptions, progress, refuse } from './options.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';
import type { Storm, Weather } from './storm/booter.ts';
import { Cables } from './storm/cables.ts';

const { runs, json, own } = benchOptions(3, ['nodes']);
const count = Number(own.nodes ?? 100);
if (!Number.isSafeInteger(count) || count < 8) refuse('--nodes is a number, 8 or more');
/** Volume servers: the server, and hosts. */
const SERVERS = [1, 2, 4];
/** Machines that make themselves known at once (decision 0070). */
const AT_ONCE = 50;

await using cluster = await Cluster.start(Math.max(...SERVERS) - 1);
await using platform = await Platform.start({ host: cluster.host, slurm: cluster.keys });
const { server } = (await platform.status()).network;

progress('a node boots, and tells what it reads');
await platform.root.ok('node', 'create', 'first', '--ram', '512M');
await platform.booted('first');
await until('its words', async () => (await namesIn(platform.paths.reads)).length > 0);
await platform.root.ok('node', 'remove', 'first', '--yes');

await using cables = await Cables.plug(platform, count);
progress(`${count} machines make themselves known`);
const found: Weather['machines'] = [];
for (let from = 0; from < count; from += AT_ONCE)
  found.push(...(await storm(cables.machines.slice(from, from + AT_ONCE), null)).machines);
await cables.address(found);
// As nodes, they get addresses for good.
await storm(cables.machines, { nfs: server, questions: [] });
const nodes = await platform.node();
if (nodes.length !== count) throw new Error(`only ${nodes.length} machines became nodes`);
await cables.address(nodes.map(({ mac, ip }) => ({ mac, ip })));
await platform.root.ok('node', 'config', 'all-nodes', 'volumes.from=least-loaded', '--yes');

const rows: { servers: number; cpu: number; share: number; slowest: number }[] = [];
for (const servers of SERVERS) rows.push(await measured(servers));
const [alone] = rows;
if (!alone) throw new RangeError('nothing was measured');
conclude(
  {
    bench: 'volume-storm',
    measures: rows.flatMap(({ servers, cpu, share, slowest }) => [
      { what: `${servers} servers of volumes: CPU of the server's`, unit: 'ms', ...summarize([cpu]) },
      { what: `${servers} servers of volumes: boots from the server's`, unit: '', ...summarize([share]) },
      { what: `${servers} servers of volumes: the slowest boot`, unit: 's', ...summarize([slowest]) },
    ]),
    bounds: rows.slice(1).map(({ servers, cpu }) => ({
      claim: `CPU of the server's NFS server, ${servers} servers : one, times ${servers}`,
      value: (cpu / alone.cpu) * servers,
      limit: 1.2,
    })),
  },
  json,
);

/** Storms with so many servers of volumes; the median by CPU. */
async function measured(servers: number) {
  const hosts = cluster.hosts.slice(0, servers - 1);
  for (const host of hosts) {
    const features = [`availablefeatures=on-${host},volumes`, `activefeatures=on-${host},volumes`];
    await cluster.run('scontrol', 'update', `nodename=${host}`, ...features);
  }
  await until('the copies', () => haveCopies(hosts), 300_000);
  const handles = Object.fromEntries(
    await Promise.all([server, ...(await addresses(hosts))].map(async (at) => [at, await handlesAt(at)])),
  );
  const results = [];
  for (let round = 0; round < runs; round += 1) {
    const before = await cpuOf('nfs');
    const { machines } = await storm(cables.machines, { handles });
    const cpu = (await cpuOf('nfs')) - before;
    const share = machines.filter(({ nfs }) => nfs === server).length;
    const slowest = Math.max(...machines.map(({ seconds }) => seconds));
    progress(`${servers} servers: ${cpu} ms of CPU for ${share} boots, all in ${slowest.toFixed(1)} s`);
    results.push({ servers, cpu, share, slowest });
  }
  const middle = results.toSorted((a, b) => a.cpu - b.cpu)[Math.floor(results.length / 2)];
  if (!middle) throw new RangeError('nothing was measured');
  return middle;
}

async function haveCopies(hosts: readonly string[]): Promise<boolean> {
  const { stdout } = await platform.server('host', 'list', '--json');
  const all: { name: string; volumes: { count: number } | null }[] = JSON.parse(stdout);
  return hosts.every((host) => all.find(({ name }) => name === host)?.volumes?.count === 2);
}

/** Of hosts, on walt-net. */
async function addresses(hosts: readonly string[]): Promise<string[]> {
  const show = 'ip -n "$(ls /run/netns)" -4 -o address show dev walt0';
  const shown = await Promise.all(hosts.map((host) => cluster.on(host, 'sh', '-c', show)));
  return shown.map((text) => /inet ([0-9.]+)/.exec(text)?.[1] ?? '');
}

/** Of all volumes, by name. */
async function handlesAt(address: string): Promise<Record<string, string>> {
  const program = join(import.meta.dirname, 'storm/volume-handles.ts');
  const inside = ['ip', 'netns', 'exec', platform.namespace, process.execPath];
  return JSON.parse(await run([...inside, program, address, ...(await volumes())]));
}

async function volumes(): Promise<string[]> {
  return (await namesIn(platform.paths.volumes)).filter((name) =>
    /^(?:platform|sha256)-.*\.erofs$/.test(name),
  );
}

async function storm(machines: Storm['machines'], root: Storm['root']): Promise<Weather> {
  const file = join(platform.folder, 'storm.json');
  const task: Storm = { server, machines, root };
  await writeFile(file, JSON.stringify(task));
  return JSON.parse(await cables.program('booter.ts', file));
}

/** Milliseconds (proc_pid_stat(5), fields 14 and 15). */
async function cpuOf(program: string): Promise<number> {
  const stat = await readFile(`/proc/${await platform.pid(program)}/stat`, 'utf8');
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  return ((fields[11] ?? 0) + (fields[12] ?? 0)) * 10;
}
