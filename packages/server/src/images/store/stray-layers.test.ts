import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type StorageLayer, strayLayers } from './stray-layers.ts';

/** `base < middle < top` of an image, `middle < side`, and `lone < high`; all came at second 100 unless said. */
function layer(id: string, parent?: string, second = 100): StorageLayer {
  return { id, created: new Date(second * 1000).toISOString(), ...(parent !== undefined && { parent }) };
}

const base = layer('base');
const middle = layer('middle', 'base');
const top = layer('top', 'middle');
const side = layer('side', 'middle');
const lone = layer('lone');
const high = layer('high', 'lone');

const cases: [what: string, layers: StorageLayer[], tops: string[], before: number, stray: string[]][] = [
  ['what an image stands on', [base, middle, top], ['top'], 200, []],
  ['a branch beside an image', [base, middle, top, side], ['top'], 200, ['side']],
  ['a chain, from its top', [lone, high, base], ['base'], 200, ['high', 'lone']],
  ['what is young', [lone, high], [], 100, []],
  ['what lies below something young', [lone, layer('high', 'lone', 300)], [], 200, []],
  ['a layer without a time', [{ id: 'old' }], [], 200, []],
];

for (const [what, layers, tops, before, stray] of cases) {
  test(`${stray.length > 0 ? 'removes' : 'keeps'} ${what}`, () => {
    assert.deepEqual(strayLayers(layers, tops, before), stray);
  });
}
