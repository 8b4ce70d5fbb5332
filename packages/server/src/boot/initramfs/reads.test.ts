import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { mergeReads, type Range, Reads } from './reads.ts';

const MEBI = 1024 * 1024;
/** Reads that came in this order. */
const order = (...reads: [start: number, length: number][]) =>
  reads.map(([start, length], at): Range => [start, length, at]);
const joined: [what: string, reads: Range[], size: number, expected: Range[]][] = [
  ['nothing', [], MEBI, []],
  ['reads that touch or overlap are one', order([4, 4], [8, 4], [6, 4]), MEBI, [[4, 8, 0]]],
  [
    'what was read first comes first',
    order([400, 4], [0, 4], [300, 4], [404, 4], [4, 4]),
    MEBI,
    [
      [400, 8, 0],
      [0, 8, 1],
      [300, 4, 2],
    ],
  ],
  [
    'a small gap is read too, a larger one is not',
    order([36, 4], [0, 4], [73, 4]),
    MEBI,
    [
      [0, 40, 0],
      [73, 4, 2],
    ],
  ],
  [
    'a long range is several reads',
    order([0, 2500]),
    4 * MEBI,
    [
      [0, 1024, 0],
      [1024, 1024, 0],
      [2048, 452, 0],
    ],
  ],
  ['nothing behind the end', order([1000, 100], [2000, 4]), MEBI, [[1000, 24, 0]]],
];
for (const [what, reads, size, expected] of joined) {
  test(`reads ahead: ${what}`, () => assert.deepEqual(mergeReads(reads, size), expected));
}

test('a node that reports far too much makes others read 64 MiB of a volume at most', () => {
  const reads = Array.from({ length: 3000 }, (_, at): Range => [at * 2048, 1024, at]);
  const total = mergeReads(reads, 1e13).reduce((sum, [, length]) => sum + length, 0);
  assert.equal(total, 64 * 1024);
  const tiny = Array.from({ length: 3000 }, (_, at): Range => [at * 64, 4, at]);
  assert.equal(mergeReads(tiny, 1e13).length, 2000);
});

let folder: string;
let reads: Reads;
const volumes = ['platform-1.erofs', 'sha256-2.erofs'];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-reads-'));
  const paths = { reads: join(folder, 'reads'), volumes: join(folder, 'volumes') };
  await mkdir(paths.volumes);
  for (const volume of volumes) await writeFile(join(paths.volumes, volume), Buffer.alloc(MEBI));
  reads = new Reads(paths);
});
after(() => rm(folder, { recursive: true }));

test('what the first node reports is handed out to the next, in the order of its reads', async () => {
  assert.deepEqual(await reads.of(volumes), { complete: false, ranges: [] });
  await reads.learn(volumes, '1 1600 8\n1 16 8\n0 0 8\n1 24 8\n7 0 8\nnonsense\n1 x 8\n-1 0 8\n');
  const ranges = [
    ['sha256-2.erofs', 800, 4, 0],
    ['sha256-2.erofs', 8, 8, 1],
    ['platform-1.erofs', 0, 4, 2],
  ];
  assert.deepEqual(await reads.of(volumes), { complete: true, ranges });
});

test('a later report changes nothing, but tells of volumes that are new', async () => {
  await writeFile(join(folder, 'volumes', 'sha256-3.erofs'), Buffer.alloc(MEBI));
  const more = [...volumes, 'sha256-3.erofs'];
  assert.equal((await reads.of(more)).complete, false);
  await reads.learn(more, '1 0 800\n2 2 2\n');
  assert.deepEqual(await reads.of(more), {
    complete: true,
    ranges: [
      ['sha256-2.erofs', 800, 4, 0],
      ['sha256-2.erofs', 8, 8, 1],
      ['sha256-3.erofs', 1, 1, 1],
      ['platform-1.erofs', 0, 4, 2],
    ],
  });
});

test('what an older server noted, without an order, is learned anew', async () => {
  await writeFile(join(folder, 'reads', 'platform-1.erofs.json'), '[[0,4]]');
  assert.equal((await reads.of(volumes)).complete, false);
  await reads.learn(volumes, '0 8 8\n');
  const { complete, ranges } = await reads.of(volumes);
  assert.equal(complete, true);
  assert.deepEqual(ranges[0], ['platform-1.erofs', 4, 4, 0]);
});

test('a volume that is gone is forgotten', async () => {
  await rm(join(folder, 'volumes', 'sha256-3.erofs'));
  await reads.sweep();
  assert.deepEqual(
    (await readdir(join(folder, 'reads'))).sort(),
    volumes.map((volume) => `${volume}.json`),
  );
});
