import assert from 'node:assert/strict';
import { open, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { addTiny, fakeBoot, usePlatform } from '../../../test/platform.ts';
import type { Finding } from '../../platform/index.ts';
import { volumeName } from '../layers/index.ts';
import { Store } from '../store/index.ts';

let prepared = true;
let faults: { name: string; fault: string }[] = [];
const { platform, tiny } = await usePlatform({
  hasBootFiles: async () => prepared,
  bootFaults: async () => faults,
  prepareBoot: async (image) => {
    if (image.anew) faults = [];
    return fakeBoot(image);
  },
});
await addTiny(platform, 'other', 'others');
const { paths, images } = platform;
const [layer = ''] = tiny.layers;
const volume = join(paths.volumes, volumeName(layer));
const { size } = await stat(volume);

async function look(repair = false): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const finding of images.check(repair)) found.push(finding);
  return found;
}

test('what fits together is not told', async () => {
  assert.deepEqual(await look(), []);
});

const damages: [what: string, damage: () => Promise<void>, words: RegExp][] = [
  ['is missing', () => rm(volume), /the volume of its layer sha256:[0-9a-f]+ is missing\.$/],
  ['was cut off', () => truncate(volume, 8192), new RegExp(`has 8192 bytes instead of ${size}\\.$`)],
  ['has other bytes', () => overwrite(volume), /is damaged\.$/],
];
for (const [what, damage, words] of damages) {
  test(`a volume that ${what} is told, and made again`, async () => {
    await damage();
    const [told, ...more] = await look();
    assert.deepEqual([told?.kind, told?.done, more], ['volume', null, []]);
    assert.match(told?.text ?? '', words);
    assert.match(told?.text ?? '', /\(ann\/tiny\)/);
    const [mended] = await look(true);
    assert.deepEqual([mended?.text, mended?.done], [told?.text, 'It is made again.']);
    assert.equal((await stat(volume)).size, size);
    assert.deepEqual(await look(), []);
  });
}

/** The head of a file system, and what lies behind it. */
async function overwrite(path: string): Promise<void> {
  await using file = await open(path, 'r+');
  await file.write(Buffer.alloc(4096, 0x5a), 0, 4096, 1024);
}

test('boot files of an older server are told, and made again', async () => {
  prepared = false;
  const found = await look(true);
  prepared = true;
  assert.deepEqual(
    found.map(({ kind, done }) => [kind, done]),
    [
      ['boot-files', 'They are made again.'],
      ['boot-files', 'They are made again.'],
    ],
  );
});

test('a boot file that is damaged is told by name, and made again', async () => {
  faults = [{ name: 'vmlinuz-virtual', fault: 'is missing' }];
  const [told] = await look();
  assert.match(told?.text ?? '', /\(ann\/tiny\): its boot file vmlinuz-virtual is missing\.$/);
  const [mended] = await look(true);
  assert.deepEqual([mended?.kind, mended?.done], ['boot-files', 'It is made again.']);
  assert.deepEqual(await look(), []);
});

test('an image of the store that nobody knows is told, and removed', async () => {
  const store = await Store.open(paths, (argv) => [...argv]);
  const stray = await store.importTar(join(platform.folder, 'tiny.tar'), 'amd64', ['ENV stray=1']);
  const [told] = await look();
  assert.deepEqual([told?.kind, told?.text.endsWith(stray), told?.done], ['image-unknown', true, null]);
  const [mended] = await look(true);
  assert.deepEqual([mended?.kind, mended?.done], ['image-unknown', 'It is removed.']);
  assert.equal((await store.images()).includes(stray), false);
  assert.deepEqual(await look(), []);
});

test('an image that the store has lost is told with its names', async () => {
  const store = await Store.open(paths, (argv) => [...argv]);
  await store.removeImage(tiny.digest);
  const [told, ...more] = await look(true);
  assert.deepEqual([told?.kind, told?.done, more], ['image-lost', null, []]);
  assert.match(told?.text ?? '', /\(ann\/tiny\): the store does not have it whole/);
});
