/**
 * What each `walt` command costs before it does anything: wall time of `walt node show` with 1000 nodes against a bare
 * `node -e 0`, in alternating runs, so that both meet the same machine. The claim: 120 ms at most where a bare start takes 30.
 *
 * The client is the real one, bundled, started by its launcher. The server answers from memory: its own work is not measured
 * here, that of the contract (validation, JSON) is. usage: cli.ts [--runs N] [--json]
 */
import { spawn } from 'node:child_process';
import { Checkout } from '../packages/cli/test/checkout.ts';
import { startServer } from '../packages/server/test/server.ts';
import { benchOptions, progress } from './options.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

const NODES = 1000;
const ALICE = { uid: 0, user: 'alice', role: 'administrator' as const };
/** 120 ms / 30 ms. */
const LIMIT = 4;

const { runs, json } = benchOptions(40);
await using server = await startServer();
using checkout = await Checkout.make(server.socket);
await server.addImage('alice/debian');
await server.addNode('vnode0');
const [node] = await server.services.calls.node.list(ALICE, { set: 'vnode0' }, AbortSignal.timeout(10_000));
if (node === undefined) throw new Error('the sample node is missing');
const { calls } = server.services;
const many = Array.from({ length: NODES }, (_, index) => ({ ...node, name: `vnode${index}` }));
calls.node.list = async () => many;
calls.node.reboot = async () => ({ nodes: ['vnode1'], unheard: [] });

const subjects = [
  { what: 'node -e 0', argv: [process.execPath, '-e', '0'] },
  { what: 'walt node show, 1000 nodes', argv: [checkout.walt, 'node', 'show'] },
  { what: 'walt --version', argv: [checkout.walt, '--version'] },
  { what: 'walt node reboot', argv: [checkout.walt, 'node', 'reboot', 'vnode1'] },
  { what: 'completion of a name', argv: [checkout.walt, 'complete', '--', 'node', 'shell', 'vnode99'] },
].map((subject) => ({ ...subject, times: [] as number[] }));

progress(`${subjects.length} commands, ${runs} runs each`);
// The first round only fills caches: files, compiled code, the token.
for (let round = 0; round <= runs; round += 1) {
  for (const { argv, times } of subjects) {
    const time = await timeOf(argv);
    if (round > 0) times.push(time);
  }
}

const measures = subjects.map(({ what, times }) => ({ what, unit: 'ms', ...summarize(times) }));
const [bare, show] = measures;
const claim = 'walt node show / node -e 0, medians (120 ms where a bare start takes 30)';
const value = (show?.median ?? Number.NaN) / (bare?.median ?? Number.NaN);
conclude({ bench: 'cli', measures, bounds: [{ claim, value, limit: LIMIT }] }, json);

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
