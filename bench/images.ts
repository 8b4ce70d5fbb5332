import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { DEFAULT_IMAGE, type Platform } from '../test/platform.ts';
import { progress } from './options.ts';

const GB = 1_000_000_000;

/** Makes two images of root's: `small`, the default image, and `large`, the same with 4 GB of random data in a layer of its own. */
export async function makeSmallAndLarge(platform: Platform): Promise<void> {
  const { root, folder } = platform;
  for (const name of ['small', 'large']) {
    await root.ok('image', 'duplicate', `waltplatform/${DEFAULT_IMAGE}`, name);
  }
  progress('making an image of 4 GB');
  const file = join(folder, 'ballast');
  await pipeline(
    createReadStream('/dev/urandom', { end: 4 * GB - 1, highWaterMark: 1 << 20 }),
    createWriteStream(file),
  );
  await root.ok('image', 'cp', file, 'large:/srv/ballast');
  await rm(file);
}
