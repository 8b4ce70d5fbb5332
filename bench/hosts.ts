/**
 * What a platform of 10 000 virtual nodes on 100 hosts with 1 000 images costs its server, and how fast it is: a full power-on, a
 * reboot of all, a host that dies, rest, calls. The server, its database, planners, API and node-facing HTTP are real, and so are
 * clients; played are walt-net, the engine with its hosts, and agents, each on an address of the loopback interface.
 * Each node holds a connection, and those may take three quarters of the open files: for 10 000, ulimit -n must be 14 000.
 * usage: hosts.ts [--runs N] [--nodes N] [--hosts N] [--images N] [--json]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Checkout } from '../packages/cli/test/checkout.ts';
import { InitArchives, NodeFiles, NodeHttp, Reads } from '../packages/server/src/boot/index.ts';
import { attempt } from '../packages/server/src/platform/index.ts';
import { startServer, USER } from '../packages/server/test/server.ts';
import type { AgentsOrder, AgentsWord } from './many-agents.ts';
import { benchOptions, progress } from './options.ts';
import { PlayedHosts } from './played-hosts.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

/** Nodes of whoever asks; the others are of some fifty others. */
const MINE = 50;
const OWNERS = 50;
/** Seconds of one look at the CPU: agents ask every 40 to 50. */
const IDLE = 45;
/** Clients that call at the same time, and seconds for which they do. */
const CLIENTS = 8;
const CALLING = 10;
/** Milliseconds that the reconciler rests between two passes, at most. */
const PAUSE = 2_000;
/** Milliseconds between two looks whether all have booted. */
const LOOK = 100;
/** Bounds: of a pass in milliseconds, of a full power-on in milliseconds per node, of a core at rest, of memory in MB. */
const LIMITS = { pass: 100, perNode: 10, idle: 0.1, memory: 500, show: 500 };

const { runs, json, own } = benchOptions(1, ['nodes', 'hosts', 'images']);
const count = Number(own.nodes ?? 10_000);
const hostCount = Number(own.hosts ?? 100);
const imageCount = Number(own.images ?? 1000);
const hosts = new PlayedHosts(hostCount);
await using server = await startServer({ subnet: '127.200.0.0/16', storesRows: true, engine: hosts });
using checkout = await Checkout.make(server.socket);
const { directory, nodes, platform } = server;
const { paths, database } = platform;

progress(`${imageCount} images, ${count} nodes`);
const images = Array.from({ length: imageCount }, (_, index): `${string}/${string}` => {
  return index < 20 ? `${USER}/image${index}` : `user${index % OWNERS}/image${index}`;
});
for (const image of images) await server.addImage(image);
await addNodes();
const address = { server: '127.200.0.1', mac: '52:54:00:00:00:01' };
const parts = { directory, paths, archives: new InitArchives(paths), reads: new Reads(paths) };
const files = new NodeFiles({ ...parts, address });
const http = new NodeHttp({ ...parts, files, copies: nodes.volumeServers });
const port = await http.listen(address.server, 0);
const agents = play();
const order = (more: Partial<AgentsOrder>): void => {
  agents.send({ ...{ server: address.server, port, agents: [], spread: 0 }, ...more } satisfies AgentsOrder);
};
hosts.hear({
  directory,
  booted: (agent) => order({ agents: [agent] }),
  ended: (ip) => order({ gone: [ip] }),
});

const seen = new Map<string, { unit: string; values: number[] }>();
try {
  for (let round = 0; round < runs; round += 1) {
    if (round === 0) await storm('first boot of all', firstBoots);
    await storm('power-on', powerOn);
    await storm('reboot of all', reboot);
    await storm('a host dies', async () => hosts.kill(`host${round}`));
    await rest();
    await calls();
  }
} finally {
  agents.kill();
  await http.close();
}
report();

/** Rows as `walt node create` leaves them, of machines that were never started. */
async function addNodes(): Promise<void> {
  const rows = Array.from({ length: count }, (_, index) => {
    const [owner = '', name = ''] = (
      images[index < MINE ? index % 20 : 20 + (index % (imageCount - 20))] ?? ''
    ).split('/');
    const hex = index.toString(16).padStart(4, '0');
    return {
      ...{ name: `vnode${index}`, type: 'virtual', model: 'pc-x86-64', architecture: 'amd64' as const },
      ...{ ip: `127.200.${Math.floor(index / 200) + 10}.${(index % 200) + 10}` },
      ...{ mac: `52:54:00:01:${hex.slice(0, 2)}:${hex.slice(2)}`, settings: '{}' },
      ...{ image_owner: owner, image_name: name },
      ...{ generation: 1, hard: 0, token: `token-${index}`, created: 1_790_000_000, made_by: owner },
    };
  });
  for (let from = 0; from < rows.length; from += 500)
    await database
      .insertInto('node')
      .values(rows.slice(from, from + 500))
      .execute();
}

function play(): ChildProcess {
  const child = spawn(process.execPath, [`${import.meta.dirname}/many-agents.ts`], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  child.on('message', (word: AgentsWord) => {
    if ('ordered' in word) hosts.reboot(word.ordered);
  });
  return child;
}

async function firstBoots(): Promise<number> {
  await nodes.reconciler.start();
  return count;
}

async function powerOn(): Promise<number> {
  hosts.loseAll();
  return count;
}

async function reboot(): Promise<number> {
  const ids = (await nodes.store.all()).map(({ id }) => id);
  await nodes.store.orderBoots([{ ids, hard: false, cause: 'reboot', user: USER }]);
  void nodes.changed();
  return count;
}

/** From what makes nodes boot, and answers how many, until they have: time, CPU of the server per boot, and how long firmware waited for its boot script. */
async function storm(what: string, begin: () => Promise<number>): Promise<void> {
  const { booted } = nodes.store.boots.figures;
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  hosts.waits.length = 0;
  const expected = booted + (await begin());
  // A look at the rows costs the server as much as a pass: first they are only counted.
  while (nodes.store.boots.figures.booted < expected) await delay(LOOK);
  while (await areSome()) await delay(LOOK);
  const seconds = (performance.now() - began) / 1000;
  const boots = nodes.store.boots.figures.booted - booted;
  note(what, 's', seconds);
  note(`${what}: CPU of the server per boot`, 'ms', busy(cpu) / boots);
  note(`${what}: wait for the boot script, half of the nodes`, 's', percentile(hosts.waits, 0.5));
  note(`${what}: the same, 99 of 100`, 's', percentile(hosts.waits, 0.99));
  progress(`${what}: ${boots} boots in ${seconds.toFixed(1)} s`);
}

/** Whether any node has not booted what it should, on the machine that runs. */
async function areSome(): Promise<boolean> {
  const running = await hosts.running();
  const rows = await nodes.store.all();
  return rows.some(
    (row) =>
      row.booted_at === null ||
      row.generation !== row.served_generation ||
      row.served_cycle !== running.get(row.id),
  );
}

async function rest(): Promise<void> {
  // What was seen of the boots is written by then.
  await delay(IDLE * 1000);
  const [began, cpu] = [performance.now(), process.cpuUsage()];
  await delay(IDLE * 1000);
  note('server at rest', 'cores', busy(cpu) / (performance.now() - began));
  for (let index = 0; index < 5; index += 1) {
    await delay(PAUSE);
    note('pass of the reconciler', 'ms', await timeOf(() => nodes.reconciler.reconcile()));
  }
  global.gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  note('memory of the server', 'MB', rss / 1e6);
  note('of it, what it remembers', 'MB', heapUsed / 1e6);
  for (const [what, words] of [
    ['node show --all', ['node', 'show', '--all']],
    [`node show, ${MINE} nodes`, ['node', 'show']],
    ['node show NODE', ['node', 'show', 'vnode1']],
    ['image show --all', ['image', 'show', '--all']],
  ] as const)
    note(what, 'ms', await timeOf(() => walt(words)));
}

/** Calls for one node, of clients that do nothing else. */
async function calls(): Promise<void> {
  const child = spawn(
    process.execPath,
    [`${import.meta.dirname}/many-calls.ts`, String(CLIENTS), String(CALLING)],
    { env: checkout.env, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exit = once(child, 'exit');
  let text = '';
  for await (const part of child.stdout) text += part;
  await exit;
  note('calls per second', '/s', Number(text));
}

async function walt(words: readonly string[]): Promise<void> {
  const { status, stderr } = await attempt([checkout.walt, ...words], { env: checkout.env });
  if (status !== 0) throw new Error(`walt ${words.join(' ')}: ${stderr}`);
}

function note(what: string, unit: string, value: number): void {
  const known = seen.get(what);
  if (known) known.values.push(value);
  else seen.set(what, { unit, values: [value] });
  progress(`${what}: ${value.toPrecision(3)} ${unit}`);
}

/** Milliseconds of CPU that this process, which is the server, has used since. */
function busy(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

async function timeOf(action: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await action();
  return performance.now() - started;
}

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

function report(): void {
  const measures = [...seen].map(([what, { unit, values }]) => ({ what, unit, ...summarize(values) }));
  const median = (name: string) => measures.find(({ what }) => what === name)?.median ?? Number.NaN;
  conclude(
    {
      bench: 'hosts',
      measures,
      bounds: [
        { claim: 'pass of the reconciler, ms', value: median('pass of the reconciler'), limit: LIMITS.pass },
        { claim: 'power-on, ms per node', value: (median('power-on') * 1000) / count, limit: LIMITS.perNode },
        { claim: 'server at rest, cores', value: median('server at rest'), limit: LIMITS.idle },
        { claim: 'memory of the server, MB', value: median('memory of the server'), limit: LIMITS.memory },
        { claim: 'node show NODE, ms', value: median('node show NODE'), limit: LIMITS.show },
      ],
    },
    json,
  );
}
