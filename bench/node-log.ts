/**
 * What logging costs a node: `walt-log-echo` against a bare `echo` of busybox, both run as programs; and 1000 lines a second through
 * `walt-log-cat`, with all that sends them, against as many lines that `cat` throws away. The node's programs are the real ones, on
 * this machine, in namespaces and a root of their own; the server takes lines and does nothing.
 * usage: node-log.ts [--runs N] [--json]
 */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { LogNode, LogServer } from '../packages/node/initramfs/log-node.fixture.ts';
import { benchOptions, progress } from './options.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

const ECHO_LIMIT = 2;
/** Percent of one processor. */
const RATE_LIMIT = 5;
const STARTS = 200;
const RATE = 1000;
/** Seconds for which lines are logged. */
const DURATION = 10;

const { runs, json } = benchOptions(9);
await using server = new LogServer();
await using node = new LogNode();
await node.start(await server.listen());

const programs = { echo: '/bin/busybox echo', 'walt-log-echo': '/bin/walt-log-echo' };
const starts: Record<keyof typeof programs, number[]> = { echo: [], 'walt-log-echo': [] };
progress(`${runs} times ${STARTS} starts of each`);
// The first round only fills caches.
for (let round = 0; round <= runs; round += 1) {
  for (const name of ['echo', 'walt-log-echo'] as const) {
    const before = performance.now();
    await node.run(
      `i=0; while [ $i -lt ${STARTS} ]; do ${programs[name]} stream "a line" >/dev/null; i=$((i + 1)); done`,
    );
    if (round > 0) starts[name].push((performance.now() - before) / STARTS);
  }
}

const rates: Record<'cat' | 'walt-log-cat', number[]> = { cat: [], 'walt-log-cat': [] };
progress(`3 times ${DURATION} s with ${RATE} lines a second`);
for (let round = 0; round < 3; round += 1) {
  rates.cat.push(await percentOf('cat >/dev/null'));
  rates['walt-log-cat'].push(await percentOf('walt-log-cat stream'));
}

const median = (values: readonly number[]) => summarize(values).median;
conclude(
  {
    bench: 'node-log',
    measures: [
      { what: 'busybox echo', unit: 'ms', ...summarize(starts.echo) },
      { what: 'walt-log-echo', unit: 'ms', ...summarize(starts['walt-log-echo']) },
      { what: `${RATE} lines/s to cat`, unit: '%', ...summarize(rates.cat) },
      { what: `${RATE} lines/s to walt-log-cat, sent`, unit: '%', ...summarize(rates['walt-log-cat']) },
    ],
    bounds: [
      {
        claim: 'walt-log-echo / busybox echo',
        value: median(starts['walt-log-echo']) / median(starts.echo),
        limit: ECHO_LIMIT,
      },
      {
        claim: `${RATE} lines/s, percent of a processor`,
        value: median(rates['walt-log-cat']),
        limit: RATE_LIMIT,
      },
    ],
  },
  json,
);

/** Percent of a processor that all of the node takes while this command gets the lines, one by one. */
async function percentOf(command: string): Promise<number> {
  const child = node.spawn(command);
  const ended = once(child, 'close');
  const before = { spent: node.spent(), time: performance.now() };
  const text = `${'a line of an experiment '.repeat(4)}\n`;
  for (let sent = 0; sent < RATE * DURATION; ) {
    const due = ((performance.now() - before.time) / 1000) * RATE;
    for (; sent < due; sent += 1) child.stdin?.write(text);
    await delay(1);
  }
  const spent = node.spent() - before.spent;
  const time = performance.now() - before.time;
  child.stdin?.end();
  await ended;
  return (100 * spent) / time;
}
