/**
 * `walt node save` of 10 MB that were written on a node, against `walt node cp` of the same file from there: both move it by ssh. The
 * save also makes a layer, its volume and the boot files. usage: node-save.ts [--runs N] [--json]
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Platform } from '../test/platform.ts';
import { benchOptions, progress } from './options.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

const SIZE = 10_000_000;
const FILE = '/srv/change';

const { runs, json } = benchOptions(5);
await using platform = await Platform.start();
const { root, folder } = platform;
progress('booting a node');
await platform.boot('bench');

const copy = join(folder, 'copy');
const ways = {
  cp: () => root.ok('node', 'cp', `bench:${FILE}`, copy),
  save: () => root.ok('node', 'save', 'bench', 'saved', '--yes'),
};
const times: Record<keyof typeof ways, number[]> = { cp: [], save: [] };

// The first round only fills caches.
for (let round = 0; round <= runs; round += 1) {
  await root.on('bench', `head -c ${SIZE} /dev/urandom >${FILE}`);
  for (const way of ['cp', 'save'] as const) {
    const start = performance.now();
    await ways[way]();
    if (round > 0) times[way].push(performance.now() - start);
  }
  await rm(copy);
  progress(
    `round ${round} of ${runs}: ${[times.cp.at(-1), times.save.at(-1)].map((ms) => ms?.toFixed(0) ?? '-')} ms`,
  );
}

const [cp, save] = [summarize(times.cp), summarize(times.save)];
conclude(
  {
    bench: 'node-save',
    measures: [
      { what: 'node cp of 10 MB', unit: 'ms', ...cp },
      { what: 'node save of 10 MB', unit: 'ms', ...save },
    ],
    bounds: [{ claim: 'node save of 10 MB, ms', value: save.median, limit: 3000 }],
  },
  json,
);
