import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { build } from 'esbuild';
import { leanMap } from './lean-map.ts';
import { attempt } from './src/platform/index.ts';

const OWN = `import { theirs } from 'theirs';
export const first = 1;

function ours(how: string): never {
  throw new Error(
    how,
  );
}
if (process.argv[2] === 'ours') ours('x');
theirs();
`;

test('of a stack, our own lines are told as they are in the sources, those of packages as they are in the bundle', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-map-'));
  t.after(() => rm(folder, { recursive: true }));
  await mkdir(join(folder, 'node_modules/theirs'), { recursive: true });
  await writeFile(
    join(folder, 'node_modules/theirs/index.js'),
    'export function theirs() { throw new Error("y"); }',
  );
  await writeFile(join(folder, 'own.ts'), OWN);
  const [outfile, absWorkingDir] = [join(folder, 'out.mjs'), folder];
  const how = {
    bundle: true,
    format: 'esm',
    platform: 'node',
    sourcemap: 'linked',
    sourcesContent: false,
  } as const;
  await build({ ...how, entryPoints: ['own.ts'], outfile, absWorkingDir });
  const whole = JSON.parse(await readFile(`${outfile}.map`, 'utf8'));
  const lean = leanMap(whole, (source) => !source.includes('node_modules/'));
  await writeFile(`${outfile}.map`, JSON.stringify(lean));
  const places = lean.mappings.split(/[,;]/).filter(Boolean);
  assert.ok(places.length < whole.mappings.split(/[,;]/).length / 2);
  const stackOf = async (word: string) =>
    (await attempt([process.execPath, '--enable-source-maps', outfile, word])).stderr;
  const ours = await stackOf('ours');
  assert.match(ours, /at ours \(.*own\.ts:5:/);
  assert.match(ours, /own\.ts:9:/);
  const theirs = await stackOf('theirs');
  assert.match(theirs, /at theirs \(.*out\.mjs:\d+:/);
  assert.match(theirs, /own\.ts:10:/);
});

test('each line keeps the first of its places, at its beginning', () => {
  // The second of line 1 has a name; line 3 is indented; line 4 goes back to line 1 of the source.
  const map = { sources: ['a.ts'], names: ['n'], mappings: 'AAAA,IAAIA;;EACE,GAAG;AAFP' };
  assert.deepEqual(
    leanMap(map, () => true),
    { sources: ['a.ts'], names: [], mappings: 'AAAA;;AACM;AAFJ' },
  );
  assert.deepEqual(leanMap(map, () => false).mappings, 'A;;;');
});
