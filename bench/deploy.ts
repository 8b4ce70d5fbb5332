/** `walt node boot` until the order to reboot is out, for a small and a 4 GB image: it must not depend on the size. */
import { Platform } from '../test/platform.ts';
import { makeSmallAndLarge } from './images.ts';
import { benchOptions, progress } from './options.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

const { runs, json } = benchOptions(5);
await using platform = await Platform.start();
await makeSmallAndLarge(platform);
progress('booting a node');
await platform.boot('bench');

const times: Record<'small' | 'large', number[]> = { small: [], large: [] };
for (let run = 0; run < runs; run += 1) {
  // The large one first: the node runs the other one before each, so each order changes what it boots.
  for (const image of ['large', 'small'] as const) {
    const start = performance.now();
    await platform.root.ok('node', 'boot', 'bench', image);
    times[image].push(performance.now() - start);
    progress(`run ${run + 1}, ${image}: ${times[image].at(-1)?.toFixed(0)} ms; waiting for its boot`);
    await platform.booted('bench');
  }
}

const [small, large] = [summarize(times.small), summarize(times.large)];
conclude(
  {
    bench: 'deploy',
    measures: [
      { what: 'node boot, small image', unit: 'ms', ...small },
      { what: 'node boot, 4 GB image', unit: 'ms', ...large },
    ],
    bounds: [
      { claim: 'ms until the order is out, 4 GB image', value: large.median, limit: 300 },
      { claim: '4 GB image : small image', value: large.median / small.median, limit: 1.1 },
    ],
  },
  json,
);
