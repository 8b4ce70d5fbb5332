/**
 * Runs test files, several at a time, and prints what they tell, as `node --test` does. That one starts files in the order of their
 * names: one that takes minutes and comes last ends alone. usage: run.ts PARALLEL [PATTERN…]; without a pattern, all of them.
 */
import { glob } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const ROOT = join(import.meta.dirname, '..');
/** Milliseconds after which a file that hangs fails by itself. The slowest takes twenty minutes where the machine is busy. */
const LIMIT = 2_700_000;
/** Files of this folder that take minutes, in the order in which they are started. */
const LONG = [
  ...['on-two-nodes', 'arm-node', 'attack', 'crashes', 'booted-service', 'packages', 'pcs', 'upgrade'],
  ...['any-image', 'hang-up', 'hosts', 'own-hosts', 'quickstart', 'image-build', 'stop', 'cross'],
  ...['lab-network', 'walt-image', 'on-one-platform'],
];
/** Those beside the code mostly wait, and are short: no core is idle at the end. */
const ALL = [...LONG.map((name) => `test/${name}.test.ts`), 'test/**/*.test.ts', 'packages/**/*.test.ts'];

/** Paths of the files that these patterns mean, each once, in the order of the patterns. */
async function filesOf(patterns: readonly string[]): Promise<string[]> {
  const files = new Set<string>();
  for (const pattern of patterns) {
    const found = await Array.fromAsync(glob(pattern, { cwd: ROOT }));
    if (found.length === 0) throw new Error(`${pattern} is no test file`);
    for (const path of found.sort()) files.add(resolve(ROOT, path));
  }
  return [...files];
}

const [parallel, ...named] = process.argv.slice(2);
const files = await filesOf(named.length > 0 ? named : ALL);
const results = run({ files, concurrency: Number(parallel), timeout: LIMIT });
results.on('test:summary', ({ success }) => {
  if (!success) process.exitCode = 1;
});
results.compose(spec).pipe(process.stdout);
