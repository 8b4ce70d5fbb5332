import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
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

/**
 * Adds a layer of 4 000 files of 1 MB to an image of root's. Their content is text, which is packed in seconds; random data would take
 * mkfs.erofs a quarter of an hour.
 */
export async function addText({ root, folder }: Platform, image: string): Promise<void> {
  progress('making an image of 4 GB');
  const ballast = join(folder, 'ballast');
  for (let index = 0; index < 4000; index += 1) {
    const sub = join(ballast, String(index % 100));
    await mkdir(sub, { recursive: true });
    await writeFile(join(sub, String(index)), Buffer.alloc(1_000_000, `ballast ${index}\n`));
  }
  await root.ok('image', 'cp', ballast, `${image}:/srv/ballast`);
  await rm(ballast, { recursive: true });
}
