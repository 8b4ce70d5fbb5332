import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '../platform/index.ts';
import { troubleWords } from './troubles.ts';

const pc1 = { name: 'pc1', type: 'physical' };
const power = new UserError('EXTERNAL', 'The plug is gone.', 'Look for it.');
const cases: [string, Parameters<typeof troubleWords>, ReturnType<typeof troubleWords>][] = [
  ['nothing', [pc1, { boot: undefined, power: undefined, canSwitch: false }], null],
  [
    'its source of power, first of all',
    [pc1, { boot: 'stuck', power, canSwitch: true }],
    { message: 'The plug is gone.', hint: 'Look for it.' },
  ],
  [
    'nobody who hears',
    [pc1, { boot: 'deaf', power: undefined, canSwitch: false }],
    {
      message: 'pc1 does not answer, and nobody has its power.',
      hint: 'Switch it off and on by hand: it boots then. Who could do that for you: walt help show power',
    },
  ],
  [
    'a boot that comes to nothing',
    [pc1, { boot: 'stuck', power: undefined, canSwitch: true }],
    {
      message: 'pc1 has not come up, however often its power was cut and given back.',
      hint: 'Look at its screen; then: walt help show troubleshooting',
    },
  ],
  [
    'the same of a virtual node',
    [
      { name: 'vnode1', type: 'virtual' },
      { boot: 'stuck', power: undefined, canSwitch: false },
    ],
    {
      message: 'vnode1 has not come up in its time, and nobody can cut its power.',
      hint: 'Watch it boot: walt node console vnode1; then: walt help show troubleshooting',
    },
  ],
];
for (const [what, [node, known], expected] of cases) {
  test(`a node’s trouble is ${what}`, () => assert.deepEqual(troubleWords(node, known), expected));
}
