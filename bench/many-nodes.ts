/**
 * What 5 000 nodes cost a server that has nothing to do: CPU while their agents ask for orders, what `walt node show` takes, and a pass
 * of the reconciler. The server, its database, planners, API and node-facing HTTP are real, and so is the client; walt-net, machines
 * and agents are played, each agent on an address of the loopback interface. usage: many-nodes.ts [--runs N] [--nodes N] [--json]
 */
import { spawn } from 'node:child_process';
import { on } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Checkout } from '../packages/cli/test/checkout.ts';
import { InitArchives, NodeFiles, NodeHttp, Reads } from '../packages/server/src/boot/index.ts';
import { attempt } from '../packages/server/src/platform/index.ts';
import { startServer, USER } from '../packages/server/test/server.ts';
import type { AgentsOrder } from './many-agents.ts';
import { benchOptions, progress } from './options.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

/** Of a core. */
const IDLE_LIMIT = 0.05;
/** Milliseconds. */
const SHOW_LIMIT = 250;
const PASS_LIMIT = 50;
/** Nodes of whoever asks, and virtual ones. */
const MINE = 50;
const VIRTUAL = 100;
/** Seconds of one look at the CPU: agents ask every 40 to 50. */
const IDLE = 45;

const { runs, json, own } = benchOptions(5, ['nodes']);
const count = Number(own.nodes ?? 5000);
await using server = await startServer({ subnet: '127.200.0.0/16', storesRows: true });
using checkout = await Checkout.make(server.socket);
const { digest } = await server.addImage(`${USER}/debian`);
await server.addImage('bob/debian');

progress(`${count} nodes`);
for (let index = 0; index < VIRTUAL; index += 1) await server.addNode(`vnode${index}`);
const { directory, platform, nodes } = server;
const agents = await addNodes(count - VIRTUAL);
const { paths } = platform;
const parts = { directory, paths, archives: new InitArchives(paths), reads: new Reads(paths) };
const address = { server: '127.200.0.1', mac: '52:54:00:00:00:01' };
const files = new NodeFiles({ ...parts, address });
const http = new NodeHttp({ ...parts, files, copies: nodes.volumeServers });
const port = await http.listen(address.server, 0);
await nodes.reconciler.start();
const played = await play({ ...{ server: address.server, port }, agents, spread: IDLE * 1000 });

const times: Record<'idle' | 'all' | 'mine' | 'one' | 'pass', number[]> = {
  ...{ idle: [], all: [], mine: [], one: [], pass: [] },
};
const commands = {
  all: ['node', 'show', '--all'],
  mine: ['node', 'show'],
  one: ['node', 'show', 'pi-1'],
} as const;
try {
  for (let round = 0; round <= runs; round += 1) {
    const idle = await coresWhile(() => delay(IDLE * 1000));
    const took: Partial<Record<keyof typeof times, number>> = { idle };
    for (const what of ['all', 'mine', 'one'] as const) took[what] = await timeOf(() => show(commands[what]));
    took.pass = await timeOf(() => nodes.reconciler.reconcile());
    // The first round only fills caches.
    for (const what of Object.keys(times) as (keyof typeof times)[])
      if (round > 0) times[what].push(took[what] ?? Number.NaN);
    progress(
      `round ${round} of ${runs}: ${Object.entries(took).map(([what, value]) => `${what} ${value.toPrecision(3)}`)}`,
    );
  }
} finally {
  played.kill();
  await http.close();
}

const measured = (what: string, of: keyof typeof times, unit = 'ms') => ({
  ...{ what, unit },
  ...summarize(times[of]),
});
const idle = measured('server at rest', 'idle', 'cores');
const all = measured(`node show --all, ${count} nodes`, 'all');
const mine = measured(`node show, ${MINE} of them`, 'mine');
const one = measured('node show NODE', 'one');
const pass = measured('pass of the reconciler', 'pass');
conclude(
  {
    bench: 'many-nodes',
    measures: [idle, all, mine, one, pass],
    bounds: [
      { claim: 'server at rest, cores', value: idle.median, limit: IDLE_LIMIT },
      { claim: 'node show --all, ms', value: all.median, limit: SHOW_LIMIT },
      { claim: 'node show, ms', value: mine.median, limit: SHOW_LIMIT },
      { claim: 'node show NODE, ms', value: one.median, limit: SHOW_LIMIT },
      { claim: 'pass of the reconciler, ms', value: pass.median, limit: PASS_LIMIT },
    ],
  },
  json,
);

/** Physical nodes that have booted: what registering, ordering and booting them would have left in the database. */
async function addNodes(many: number): Promise<AgentsOrder['agents']> {
  const { database } = platform;
  const rows = Array.from({ length: many }, (_, index) => {
    const [high, low] = [Math.floor(index / 200) + 10, (index % 200) + 10];
    const hex = index.toString(16).padStart(4, '0');
    return {
      ...{ name: `pi-${index}`, ip: `127.200.${high}.${low}`, type: 'physical', model: 'pc-x86-64' },
      ...{ mac: `b8:27:eb:00:${hex.slice(0, 2)}:${hex.slice(2)}`, settings: '{}' },
      ...{ architecture: 'amd64' as const, boot_mode: 'network' as const },
      ...{ image_owner: index < MINE ? USER : 'bob', image_name: 'debian' },
      ...{ generation: 1, hard: 0, token: `token-${index}`, created: 1_790_000_000 },
      ...{ served_generation: 1, served_digest: digest, served_at: 1_790_000_100, booted_at: 1_790_000_130 },
    };
  });
  await database.transaction().execute(async (transaction) => {
    for (let from = 0; from < rows.length; from += 500)
      await transaction
        .insertInto('node')
        .values(rows.slice(from, from + 500))
        .execute();
    const made = await transaction
      .selectFrom('node')
      .select(['id', 'image_owner as owner'])
      .where('type', '=', 'physical')
      .execute();
    for (const { id: node, owner } of made) {
      const { id } = await transaction
        .insertInto('persist_folder')
        .values({ node, owner })
        .returning('id')
        .executeTakeFirstOrThrow();
      await transaction.updateTable('node').set({ served_persist: id }).where('id', '=', node).execute();
    }
  });
  return rows.map(({ ip, token, generation }) => ({ ip, token, generation }));
}

/** A process of their own asks for all of them; resolves once each has asked. */
async function play(order: AgentsOrder) {
  const child = spawn(process.execPath, [`${import.meta.dirname}/many-agents.ts`], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  child.send(order);
  for await (const _ of on(child, 'message', { close: ['exit'] })) return child;
  throw new Error('agents cannot be played');
}

/** Processors that this process, which is the server, kept busy meanwhile. */
async function coresWhile(action: () => Promise<unknown>): Promise<number> {
  const [before, started] = [process.cpuUsage(), performance.now()];
  await action();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / (performance.now() - started);
}

async function timeOf(action: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await action();
  return performance.now() - started;
}

async function show(words: readonly string[]): Promise<void> {
  const { status, stderr } = await attempt([checkout.walt, ...words], { env: checkout.env });
  if (status !== 0) throw new Error(`walt ${words.join(' ')}: ${stderr}`);
}
