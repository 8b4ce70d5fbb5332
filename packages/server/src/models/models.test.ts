import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { VIRTUAL_MODELS } from '@walt/contract';
import { adapterSets, fittingsOf, loaders, models } from './index.ts';

test('a file of its own tells all of each model', async () => {
  const files = await readdir(import.meta.dirname);
  for (const { name } of models) assert.ok(files.includes(`${name}.ts`), name);
  assert.equal(new Set(models.map(({ name }) => name)).size, models.length);
});

test('clients know the models of virtual nodes, and no other', () => {
  const played = models.flatMap(({ name, qemu }) => (qemu ? [name] : []));
  assert.deepEqual(played.sort(), [...VIRTUAL_MODELS].sort(), 'see contract/src/values/kinds.ts');
});

test('no two models are told by the same words', () => {
  const words = models.flatMap(({ ipxeCpu, uBootVendor, architecture }) => [
    ...(ipxeCpu === undefined ? [] : [`iPXE ${ipxeCpu}`]),
    ...(uBootVendor === undefined ? [] : [`U-Boot ${uBootVendor} ${architecture}`]),
  ]);
  assert.equal(new Set(words).size, words.length);
});

test('what files and rules are named after is said once', () => {
  for (const names of [adapterSets.map(({ name }) => name), loaders.map(({ name }) => name)]) {
    assert.equal(new Set(names).size, names.length);
  }
});

const rows: [model: string, isVirtual: boolean, console: string, adapters: string][] = [
  ['pc-x86-64', true, 'ttyS0,115200', 'virtual'],
  ['pc-x86-64', false, 'tty0', 'pc'],
  ['pc-x86-32', false, 'tty0', 'pc'],
  ['pc-arm64', false, 'tty0', 'pc'],
  ['qemu-arm64', true, 'ttyAMA0,115200', 'virtual'],
  ['qemu-arm64', false, 'ttyAMA0,115200', 'pc'],
  ['qemu-armhf', true, 'ttyAMA0,115200', 'virtual'],
  ['a-board-of-tomorrow', false, 'tty0', 'pc'],
];
for (const [model, isVirtual, console, adapters] of rows) {
  test(`a ${isVirtual ? 'virtual' : 'real'} ${model} speaks on ${console} and has the adapters of ${adapters}`, () => {
    const fittings = fittingsOf({ model, isVirtual });
    assert.deepEqual([fittings.console, fittings.adapters.name], [console, adapters]);
  });
}
