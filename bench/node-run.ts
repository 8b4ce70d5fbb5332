/**
 * What `walt node run SET true` takes for 50 nodes, against one, and against as many bare ssh at a time, which ask nobody and go by
 * no server of ours: wall time of the whole command, in alternating runs. The claims: twice as long as for one
 * at most, and 1.5 times as long as bare ssh.
 *
 * Client, server and nodes are on this machine: each node is an OpenSSH server of its own, on an address of the loopback interface.
 * Real nodes bring processors of their own, these share ours; so the processor time that they took, spread over all cores, is told
 * and taken off. What 50 bare ssh take without the nodes, on all cores, is what no command that starts an ssh for each can fall
 * below. usage: node-run.ts [--runs N] [--nodes N] [--json]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { globSync, mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { mapPool } from '../packages/cli/src/ssh/pool.ts';
import { PARALLEL } from '../packages/cli/src/ssh/run.ts';
import { Checkout } from '../packages/cli/test/checkout.ts';
import { sshdOf } from '../packages/cli/test/node-ssh.ts';
import { loopbackNet } from '../packages/server/test/network.ts';
import { startServer, type TestServer } from '../packages/server/test/server.ts';
import { benchOptions, progress } from './options.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

const LIMIT = 2;
const BARE_LIMIT = 1.5;
/** Milliseconds of a tick of /proc (proc_pid_stat(5)): USER_HZ is 100 wherever Linux runs. */
const TICK = 10;

const { runs, json, own } = benchOptions(9, ['nodes']);
const count = Number(own.nodes ?? 50);
await using server = await startServer({ subnet: loopbackNet() });
using checkout = await Checkout.make(server.socket);
await using nodes = await startNodes(server, count);

const sizes = ['one', 'all', 'bare'] as const;
const walt = (set: string) => () => timeOf([checkout.walt, 'node', 'run', set, 'true']);
const ways = { one: walt('vnode0'), all: walt('my-nodes'), bare: bareSsh };
/** Milliseconds: from start to end, and of processors. */
type Row = Record<'wall' | 'client' | 'server' | 'nodes', number>;
const rows: Record<(typeof sizes)[number], Row[]> = { one: [], all: [], bare: [] };
progress(`${count} nodes, ${runs} runs each`);
// The first round only fills caches.
for (let round = 0; round <= runs; round += 1) {
  for (const size of sizes) {
    const before = spent();
    const wall = await ways[size]();
    const after = spent();
    const of = (who: keyof typeof after) => after[who] - before[who];
    if (round > 0) rows[size].push({ wall, client: of('client'), server: of('server'), nodes: of('nodes') });
  }
}

const without = ({ wall, nodes: theirs }: Row) => wall - theirs / availableParallelism();
const names = { one: 'one node', all: `${count} nodes`, bare: `${count} bare ssh` };
const measures = sizes.flatMap((size) => {
  const of = (what: string, value: (row: Row) => number) => ({
    ...{ what: `${names[size]}: ${what}`, unit: 'ms' },
    ...summarize(rows[size].map(value)),
  });
  return [
    of('time', (row) => row.wall),
    of('time, without what the nodes do', without),
    of(size === 'bare' ? 'CPU of ssh' : 'CPU of walt and ssh', (row) => row.client),
    of('CPU of the server', (row) => row.server),
    of('CPU of the nodes', (row) => row.nodes),
  ];
});
const ratio = (value: (row: Row) => number, to: 'one' | 'bare' = 'one') =>
  summarize(rows.all.map(value)).median / summarize(rows[to].map(value)).median;
progress(`${count} nodes / one, with what the nodes do: ${ratio(({ wall }) => wall).toFixed(2)}`);
const claim = `${count} nodes / one, without what the nodes do`;
const bare = {
  claim: `${count} nodes / ${count} bare ssh`,
  value: ratio(({ wall }) => wall, 'bare'),
  limit: BARE_LIMIT,
};
conclude(
  { bench: 'node-run', measures, bounds: [{ claim, value: ratio(without), limit: LIMIT }, bare] },
  json,
);

/** Milliseconds of processors until now. The server is in this process, and walt its only child that has ended. */
function spent(): Record<'client' | 'server' | 'nodes', number> {
  const [, , ofChildren = 0, inChildren = 0] = ticksOf('self');
  const { user, system } = process.cpuUsage();
  return {
    client: (ofChildren + inChildren) * TICK,
    server: (user + system) / 1000,
    nodes: nodes.cpu(),
  };
}

interface Nodes extends AsyncDisposable {
  addresses: [name: string, ip: string][];
  /** Milliseconds of processor time that all took until now, for connections that have ended. */
  cpu(): number;
}

async function startNodes(platform: TestServer, many: number): Promise<Nodes> {
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  await platform.addImage('alice/debian');
  const sshds: ChildProcess[] = [];
  const addresses: [string, string][] = [];
  for (let index = 0; index < many; index += 1) {
    await platform.addNode(`vnode${index}`);
    const { ip, config } = await sshdOf(platform, `vnode${index}`);
    addresses.push([`vnode${index}`, ip]);
    // -r: it forks for a connection, and does not start itself anew.
    const words = ['-D', '-e', '-r', '-f', config, '-o', `ListenAddress=${ip}`, '-o', 'PidFile=none'];
    const sshd = spawn('/usr/sbin/sshd', words, { stdio: ['ignore', 'ignore', 'pipe'] });
    sshds.push(sshd);
    await listening(sshd);
  }
  return {
    addresses,
    cpu: () => sshds.flatMap(({ pid }) => ticksOf(pid ?? 0)).reduce((sum, ticks) => sum + ticks, 0) * TICK,
    [Symbol.asyncDispose]: async () => {
      for (const sshd of sshds) sshd.kill();
    },
  };
}

/** Resolves when it says so. Throws when it ends before. */
async function listening(sshd: ChildProcess): Promise<void> {
  if (!sshd.stderr) throw new TypeError('sshd was started without a pipe');
  for await (const line of createInterface(sshd.stderr)) {
    if (!line.startsWith('Server listening')) continue;
    sshd.stderr.resume();
    return;
  }
  throw new Error('sshd did not come up');
}

/** Of a process, then of its children that have ended: in user and system mode, each. */
function ticksOf(process: number | 'self'): number[] {
  const [, rest = ''] = readFileSync(`/proc/${process}/stat`, 'utf8').split(') ');
  // utime, stime, cutime, cstime: fields 14 to 17, of which the first two stand before the parenthesis.
  return rest.split(' ').slice(11, 15).map(Number);
}

/** As many at a time as `walt node run` starts, with the certificates that it got, straight to the nodes. */
async function bareSsh(): Promise<number> {
  const started = performance.now();
  const [config = ''] = globSync(`${checkout.home}/.cache/walt/*/ssh/config`);
  await mapPool(nodes.addresses, PARALLEL, ([name, ip]) => {
    const direct = ['-o', 'ProxyCommand=none', '-o', `HostName=${ip}`, '-o', 'CheckHostIP=no'];
    return timeOf(['ssh', '-F', config, ...direct, '-T', '--', name, 'true']);
  });
  return performance.now() - started;
}

/** Milliseconds from start to end. Throws when the command fails. */
function timeOf([program = '', ...args]: readonly string[]): Promise<number> {
  const started = performance.now();
  const child = spawn(program, args, { env: checkout.env, stdio: ['ignore', 'ignore', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) resolve(performance.now() - started);
      else reject(new Error(`${program} ${args.join(' ')} ended with ${status}`));
    });
  });
}
