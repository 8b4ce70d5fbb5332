/**
 * Saving a change of 1 MB in an image of 0.2 GB and in one of 4 GB: the time must grow with the change, not with the image.
 * Both ways to commit from a script take turns on both images: `walt image cp`, and `walt image run --save-as` (which saves as
 * `walt image shell` does). usage: commit.ts [--runs N] [--json]
 */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DEFAULT_IMAGE, Platform } from '../test/platform.ts';
import { addText } from './images.ts';
import { benchOptions, progress } from './options.ts';
import { conclude } from './report.ts';
import { summarize } from './statistics.ts';

const CHANGE = 1_000_000;
const LIMIT = 1.2;

const { runs, json } = benchOptions(9);
await using platform = await Platform.start();
const { root, folder } = platform;
await makeImages();
const file = join(folder, 'change');

const ways = {
  cp: (image: string) => root.ok('image', 'cp', file, `${image}:/root/change`),
  run: (image: string) =>
    root.ok('image', 'run', image, '--save-as', image, '--', `head -c ${CHANGE} /dev/urandom >/root/changed`),
};
type Way = keyof typeof ways;
type Size = 'small' | 'large';
const times: Record<Way, Record<Size, number[]>> = {
  cp: { small: [], large: [] },
  run: { small: [], large: [] },
};

// The first round only fills caches.
for (let round = 0; round <= runs; round += 1) {
  for (const way of ['cp', 'run'] as const) {
    // Who is first changes, so that what the round before left behind hits both.
    const order: readonly Size[] = round % 2 === 0 ? ['small', 'large'] : ['large', 'small'];
    for (const image of order) {
      await writeFile(file, randomBytes(CHANGE));
      const start = performance.now();
      await ways[way](image);
      if (round > 0) times[way][image].push(performance.now() - start);
    }
  }
  const last = Object.values(times).flatMap(({ small, large }) => [small.at(-1), large.at(-1)]);
  progress(`round ${round} of ${runs}: ${last.map((ms) => ms?.toFixed(0) ?? '-').join(', ')} ms`);
}

const measure = (way: Way, size: Size, what: string) => ({
  what,
  unit: 'ms',
  ...summarize(times[way][size]),
});
const measures = [
  measure('cp', 'small', 'image cp of 1 MB, 0.2 GB image'),
  measure('cp', 'large', 'image cp of 1 MB, 4 GB image'),
  measure('run', 'small', 'image run --save-as, 1 MB, 0.2 GB image'),
  measure('run', 'large', 'image run --save-as, 1 MB, 4 GB image'),
];
const ratio = (way: Way) => summarize(times[way].large).median / summarize(times[way].small).median;
conclude(
  {
    bench: 'commit',
    measures,
    bounds: [
      { claim: 'image cp of 1 MB, 4 GB image : 0.2 GB image', value: ratio('cp'), limit: LIMIT },
      { claim: 'image run --save-as of 1 MB, 4 GB : 0.2 GB', value: ratio('run'), limit: LIMIT },
    ],
  },
  json,
);

/** `small` is the default image, `large` the same with a layer of 4 GB of text: what it is makes no difference to the commits that follow. */
async function makeImages(): Promise<void> {
  for (const name of ['small', 'large'])
    await root.ok('image', 'duplicate', `waltplatform/${DEFAULT_IMAGE}`, name);
  await addText(platform, 'large');
}
