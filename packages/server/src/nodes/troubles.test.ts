import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UserError } from '../platform/index.ts';
import { troubleWords } from './troubles.ts';

const pc1 = { name: 'pc1', type: 'physical' };
const power = new UserError('EXTERNAL', 'The plug is gone.', 'Look for it.');
const cases: [string, Parameters<typeof troubleWords>, ReturnType<typeof troubleWords>][] = [
  ['nothing', [pc1, { boot: undefined, power: undefined, canSwitch: false, failure: null }], null],
  [
    'its source of power, first of all',
    [pc1, { boot: 'stuck', power, canSwitch: true, failure: null }],
    { message: 'The plug is gone.', hint: 'Look for it.', console: [] },
  ],
  [
    'nobody who hears',
    [pc1, { boot: 'deaf', power: undefined, canSwitch: false, failure: null }],
    {
      message: 'pc1 does not answer, and nobody has its power.',
      hint: 'Switch it off and on by hand: it boots then. Who could do that for you: walt help show power',
      console: [],
    },
  ],
  [
    'a boot that comes to nothing',
    [pc1, { boot: 'stuck', power: undefined, canSwitch: true, failure: null }],
    {
      message: 'pc1 has not come up, however often its power was cut and given back.',
      hint: 'Look at its screen; then: walt help show troubleshooting',
      console: [],
    },
  ],
  [
    'the same of a virtual node',
    [
      { name: 'vnode1', type: 'virtual' },
      { boot: 'stuck', power: undefined, canSwitch: false, failure: null },
    ],
    {
      message: 'vnode1 has not come up in its time, and nobody can cut its power.',
      hint: 'Watch it boot: walt node console vnode1; then: walt help show troubleshooting',
      console: [],
    },
  ],
  [
    'what it said itself, with what its console showed',
    [
      { name: 'vnode1', type: 'virtual' },
      {
        ...{ boot: undefined, power: undefined, canSwitch: true },
        failure: { at: 1, reason: 'mount: no such device', final: false, console: ['walt: cannot boot'] },
      },
    ],
    {
      message: 'vnode1 could not boot: mount: no such device',
      hint: 'It tries again by itself. Watch it boot: walt node console vnode1; see walt node log vnode1',
      console: ['walt: cannot boot'],
    },
  ],
];
for (const [what, [node, known], expected] of cases) {
  test(`a node’s trouble is ${what}`, () => assert.deepEqual(troubleWords(node, known), expected));
}
