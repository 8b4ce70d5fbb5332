import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { lacksLayers } from './view.ts';

const [A, B, C] = ['a'.repeat(64), 'b'.repeat(64), 'c'.repeat(64)] as const;
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-view-'));
});
after(() => rm(folder, { recursive: true }));

async function store(
  name: string,
  layers: readonly object[],
  images: readonly object[] = [],
): Promise<string> {
  const root = join(folder, name);
  await mkdir(join(root, 'overlay-layers'), { recursive: true });
  await mkdir(join(root, 'overlay-images'), { recursive: true });
  await writeFile(join(root, 'overlay-images', 'images.json'), JSON.stringify(images));
  await writeFile(join(root, 'overlay-layers', 'layers.json'), JSON.stringify(layers));
  return root;
}

test('a store lacks layers when what its own lie on is nowhere', async () => {
  const main = await store('main', [{ id: A }]);
  const own = await store('own', [
    { id: B, parent: A },
    { id: C, parent: B },
  ]);
  assert.equal(await lacksLayers(main, own), false);
  assert.equal(await lacksLayers(await store('emptied', []), own), true);
  assert.equal(await lacksLayers(main, join(folder, 'absent')), false);
  const image = (layer: string) => [{ id: C, layer }];
  assert.equal(await lacksLayers(main, await store('image-above', [], image(A))), false);
  assert.equal(await lacksLayers(main, await store('image-elsewhere', [], image(B))), true);
  assert.equal(await lacksLayers(main, await store('image-own', [{ id: B, parent: A }], image(B))), false);
});
