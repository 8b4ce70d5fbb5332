/**
 * `walt-server backup` of a store that has an image of 4 GB, after a change of 1 MB in it, while the platform runs: the time must
 * follow the change. usage: backup.ts [--runs N] [--json]
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attempt, run } from '../packages/server/src/platform/index.ts';
import { checkout } from '../test/client.ts';
import { DEFAULT_IMAGE, Platform } from '../test/platform.ts';
import { addText } from './images.ts';
import { benchOptions, progress } from './options.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

const CHANGE = 1_000_000;
/** Seconds. */
const LIMIT = 5;

const { runs, json } = benchOptions(5);
await using platform = await Platform.start();
const { root, folder } = platform;
const target = join(folder, 'backups');
await makeImage();

const file = join(folder, 'change');
const first = await backUp();
const seconds: number[] = [];
const added: number[] = [];
for (let round = 1; round <= runs; round += 1) {
  await writeFile(file, randomBytes(CHANGE));
  await root.ok('image', 'cp', file, 'large:/root/change');
  const backup = await backUp();
  seconds.push(backup.seconds);
  added.push(backup.bytes / 1_000_000);
  progress(`round ${round} of ${runs}: ${backup.seconds.toFixed(2)} s`);
}
const after = summarize(seconds);
conclude(
  {
    bench: 'backup',
    measures: [
      {
        what: `first backup, of ${(first.bytes / 1e9).toFixed(1)} GB`,
        unit: 's',
        ...summarize([first.seconds]),
      },
      { what: 'backup after a change of 1 MB', unit: 's', ...after },
      { what: 'what it copied', unit: 'MB', ...summarize(added) },
    ],
    bounds: [
      { claim: 'backup of a 4 GB store after a change of 1 MB, in s', value: after.median, limit: LIMIT },
    ],
  },
  json,
);

/** The whole command, as an administrator waits for it. */
async function backUp(): Promise<{ seconds: number; bytes: number }> {
  const start = performance.now();
  const { status, stdout, stderr } = await attempt(
    [join(checkout, 'walt-server'), 'backup', target, '--json'],
    { env: { WALT_CONFIG: platform.configFile } },
  );
  const seconds = (performance.now() - start) / 1000;
  assert.equal(status, 0, stderr);
  return { seconds, bytes: JSON.parse(stdout).added };
}

async function makeImage(): Promise<void> {
  await root.ok('image', 'duplicate', `waltplatform/${DEFAULT_IMAGE}`, 'large');
  await addText(platform, 'large');
  // What is left to write is not the first backup's.
  await run(['sync', '--file-system', folder]);
}
