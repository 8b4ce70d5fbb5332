/**
 * A host of Slurm with copies of volumes: a boot from there against one from the server, the first copy against the bare link, and how
 * soon a node that is created has its QEMU there.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import type { NodeBoot } from '@walt/contract';
import { run } from '../packages/server/src/platform/index.ts';
import { Cluster } from '../test/hosts/cluster.ts';
import { Platform } from '../test/platform.ts';
import { until } from '../test/until.ts';
import { benchOptions, progress, refuse } from './options.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

const { runs, json, own } = benchOptions(5, ['link']);
/** Mbit/s of the way between server and host, while a volume is copied. */
const link = Number(own.link ?? 400);
if (!(link >= 1)) refuse('--link is a number of Mbit/s');
const SMALL = ['--ram', '512M', '--cpu-cores', '1'];
const HOST = 'h1';

await using cluster = await Cluster.start(1);
const features = ['availablefeatures=on-h1,volumes', 'activefeatures=on-h1,volumes'];
await cluster.run('scontrol', 'update', `nodename=${HOST}`, ...features);
await using platform = await Platform.start({ host: cluster.host, slurm: cluster.keys });
await using alone = await Platform.start();

progress('a node on the host, and one on a server without hosts');
await platform.root.ok('node', 'create', 'n1', ...SMALL, `host=${HOST}`);
await alone.root.ok('node', 'create', 'n1', ...SMALL);
await Promise.all([platform.booted('n1'), alone.booted('n1')]);
await until('the copies', async () => (await copies()) === 2);

const volume = (await run(['find', platform.paths.volumes, '-name', 'sha256-*', '-size', '+100M'])).trim();
const copy = `/run/walt-host/*/volumes/volumes/${volume.split('/').at(-1)}`;

const bare: number[] = [];
const copied: number[] = [];
await shape(`${link}mbit`);
for (let round = 0; round < runs; round += 1) {
  bare.push(await sendBare());
  copied.push(await copyAgain());
  progress(`${bare.at(-1)?.toFixed(1)} s by the bare link, ${copied.at(-1)?.toFixed(1)} s as a copy`);
}
await shape(undefined);

const here: number[] = [];
const there: number[] = [];
for (let round = 0; round < runs; round += 1) {
  here.push(await timeBoot(alone));
  there.push(await timeBoot(platform));
  progress(`${here.at(-1)?.toFixed(1)} s on the server, ${there.at(-1)?.toFixed(1)} s on the host`);
}

const created: number[] = [];
for (let round = 0; round < runs; round += 1) {
  created.push(await timeCreation());
  progress(`${created.at(-1)?.toFixed(2)} s until a new node has its QEMU`);
}

const [link_, copies_, here_, there_, created_] = [bare, copied, here, there, created].map(summarize);
assert.ok(link_ && copies_ && here_ && there_ && created_);
conclude(
  {
    bench: 'volumes',
    measures: [
      { what: `a volume by the bare link of ${link} Mbit/s`, unit: 's', ...link_ },
      { what: 'the same as a copy that is known to be right', unit: 's', ...copies_ },
      { what: 'boot script to booted, on the server', unit: 's', ...here_ },
      { what: 'the same on a host with copies', unit: 's', ...there_ },
      { what: 'walt node create until QEMU starts on the host', unit: 's', ...created_ },
    ],
    bounds: [
      { claim: 'first copy, speed : link', value: link_.median / copies_.median, limit: 0.8, atLeast: true },
      {
        claim: 'boot on a host with copies : on the server',
        value: there_.median / here_.median,
        limit: 1.1,
      },
      { claim: 'from creation to QEMU by Slurm, s', value: created_.median, limit: 2 },
    ],
  },
  json,
);

/** Copies that the host has. */
async function copies(): Promise<number> {
  const { stdout } = await platform.server('host', 'list', '--json');
  const [host]: { volumes: { count: number } | null }[] = JSON.parse(stdout);
  return host?.volumes?.count ?? 0;
}

/** Bounds what the server sends to the host; undefined: nothing does. */
async function shape(rate: string | undefined): Promise<void> {
  const queue = ['tc', '-n', cluster.host, 'qdisc'];
  const at = ['dev', HOST, 'root'];
  if (rate) await run([...queue, 'add', ...at, 'tbf', 'rate', rate, 'burst', '512k', 'latency', '50ms']);
  else await run([...queue, 'delete', ...at]);
}

/** Seconds to send the volume over the hosts' network, without a tunnel, to nowhere. */
async function sendBare(): Promise<number> {
  const received = cluster.on(HOST, 'socat', '-u', 'TCP-LISTEN:9999,reuseaddr', 'OPEN:/dev/null');
  const inside = ['nsenter', `--net=/run/netns/${cluster.host}`, '--'];
  const listens = async () => (await cluster.on(HOST, 'ss', '-Hltn', 'sport = :9999')) !== '';
  await until('a listener', listens);
  const start = performance.now();
  await run([...inside, 'socat', '-u', `OPEN:${volume},rdonly`, 'TCP:198.18.0.11:9999'], {
    timeout: 300_000,
  });
  await received;
  return (performance.now() - start) / 1000;
}

/** Seconds from the first byte of a copy until its bytes are known to be right: its file is made first, and gets its name last. */
async function copyAgain(): Promise<number> {
  await cluster.on(HOST, 'sh', '-c', `rm ${copy}`);
  const times = async () => cluster.on(HOST, 'sh', '-c', `stat -c '%.9W %.9Z' ${copy} || true`);
  const found = await until('the copy', async () => (await times()).trim() || undefined, 300_000);
  const [born = 0, named = 0] = found.split(' ').map(Number);
  await until('it to be known', async () => (await copies()) === 2);
  return named - born;
}

/** Seconds from the boot script to the node's word that it is up. */
async function timeBoot(of: Platform): Promise<number> {
  await of.root.ok('node', 'reboot', '--hard', 'n1');
  await of.booted('n1');
  const [node] = await of.node();
  assert.equal(node?.volumesFrom, of === platform ? HOST : null);
  const [last] = await of.root.json<NodeBoot[]>('node', 'log', 'n1');
  const at = (step: string) => last?.steps.find((one) => one.step === step)?.at ?? Number.NaN;
  return at('booted') - at('script');
}

/** Seconds from the command until the kernel starts QEMU on the host. */
async function timeCreation(): Promise<number> {
  const [uptime] = (await readFile('/proc/uptime', 'utf8')).split(' ');
  await platform.root.ok('node', 'create', 'n2', ...SMALL, `host=${HOST}`);
  // Hundredths of a second since this machine started (proc_pid_stat(5)).
  const starts = 'for pid in $(pgrep -x qemu-system-x86); do cut -d " " -f 22 "/proc/$pid/stat"; done';
  const began = await until('its QEMU', async () => {
    const times = (await cluster.on(HOST, 'sh', '-c', starts)).trim().split('\n');
    return times.map((time) => Number(time) / 100 - Number(uptime)).find((time) => time > 0);
  });
  await platform.root.ok('node', 'remove', 'n2', '--yes');
  return began;
}
