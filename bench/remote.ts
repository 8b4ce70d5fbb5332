/**
 * What ssh costs: `walt node show` on a laptop against the same on the server's machine, in alternating runs, with the connection
 * open; the first one, which logs in; and a call of many clients at once, each with an open connection of its own. Laptop and server
 * are network namespaces with a real sshd between them, so the way itself takes no time. usage: remote.ts [--runs N] [--json]
 */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Checkout } from '../packages/cli/test/checkout.ts';
import { Lab, SERVER_ADDRESS, signIn } from '../packages/cli/test/lab.ts';
import { startServer } from '../packages/server/test/server.ts';
import { benchOptions, progress } from './options.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

const CLIENTS = 50;
/** Milliseconds. */
const LIMITS = { open: 60, first: 1000, many: 1000 };

const { runs, json } = benchOptions(20);
await using server = await startServer({ signIn });
using checkout = await Checkout.make(server.socket);
await server.addImage('alice/debian');
await server.addNode('vnode1');
await using lab = await Lab.open(server, checkout);
const url = `ssh://alice@${SERVER_ADDRESS}`;
const argv = [checkout.walt, 'node', 'show'];
const open = lab.env(url);

const local: number[] = [];
const remote: number[] = [];
const first: number[] = [];
progress(`${runs} runs each`);
// The first round only fills caches: files, compiled code, tokens.
for (let round = 0; round <= runs; round += 1) {
  const cold = { ...lab.env(url, `cold-${round}`), XDG_CACHE_HOME: join(lab.home, '.cache') };
  const times: [number, number[]][] = [
    [await timeOf(lab.argvOnServer('alice', ...argv.slice(1)), {}), local],
    [await timeOf(lab.argvOnLaptop(...argv), open), remote],
    [await timeOf(lab.argvOnLaptop(...argv), cold), first],
  ];
  if (round > 0) for (const [time, kept] of times) kept.push(time);
}
progress(`${CLIENTS} clients at once`);
// Of one process: on two cores, starts of Node.js would be all that is measured, and laptops have cores of their own.
const script = join(import.meta.dirname, 'remote-clients.ts');
const folder = join(lab.folder, 'many');
mkdirSync(folder);
const together = lab.start([process.execPath, script, folder, String(CLIENTS)], { env: open });
together.stderr?.pipe(process.stderr);
const many: number[] = JSON.parse((await together.stdout?.toArray())?.join('') ?? '');

const named = { local, remote, first, many };
const measures = Object.entries(named).map(([what, times]) => ({ what, unit: 'ms', ...summarize(times) }));
const median = (times: number[]) => summarize(times).median;
const p99 = many.toSorted((a, b) => a - b)[Math.ceil(CLIENTS * 0.99) - 1] ?? Number.NaN;
const bounds = [
  { claim: 'remote over local, medians, ms', value: median(remote) - median(local), limit: LIMITS.open },
  { claim: 'the first one, which logs in, median, ms', value: median(first), limit: LIMITS.first },
  { claim: `${CLIENTS} at once, 99 of 100, ms`, value: p99, limit: LIMITS.many },
];
conclude({ bench: 'remote', measures, bounds }, json);

/** Milliseconds from start to end. Throws when the command fails. */
function timeOf([program = '', ...args]: readonly string[], env: Record<string, string>): Promise<number> {
  const started = performance.now();
  const child = spawn(program, args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      if (status === 0) resolve(performance.now() - started);
      else reject(new Error(`${program} ${args.join(' ')} ended with ${status}`));
    });
  });
}
