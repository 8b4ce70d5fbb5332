import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adapterSets, type Model, models } from '../models/index.ts';
import { LAYOUT, layoutOf } from './boot-files.ts';

const [first] = models as [Model];
const rows: [name: string, boards: readonly Model[], sets: typeof adapterSets, isOther: boolean][] = [
  ['are kept as long as boards are the same', models, adapterSets, false],
  [
    'are made anew when images are for one board more',
    [...models, { ...first, name: 'new' }],
    adapterSets,
    true,
  ],
  ['are made anew for one module more', models, [{ ...adapterSets[0], always: ['new'] } as never], true],
  [
    'are kept when a board speaks on another line',
    [{ ...first, console: 'ttyS9' }, ...models.slice(1)],
    adapterSets,
    false,
  ],
];
for (const [name, boards, sets, isOther] of rows) {
  test(`boot files ${name}`, () => {
    assert.equal(layoutOf(boards, sets) !== LAYOUT, isOther);
    assert.ok(Number.isSafeInteger(layoutOf(boards, sets)));
  });
}
