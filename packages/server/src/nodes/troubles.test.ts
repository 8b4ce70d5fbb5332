import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NodeRoom } from '../boot/index.ts';
import { UserError } from '../platform/index.ts';
import { clockTrouble, troubleWords } from './troubles.ts';

const MiB = 1024 ** 2;
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
    'a boot by kexec that comes to nothing',
    [pc1, { boot: 'stuck', power: undefined, canSwitch: false, byKexec: true, failure: null }],
    {
      message: 'pc1 has not come up by kexec, and nobody can cut its power.',
      hint: 'Switch it off and on by hand. If it happens again: walt node config pc1 kexec.allow=false',
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

const none = { total: 0, free: 0 };
const rooms: [string, NodeRoom, ReturnType<typeof troubleWords>][] = [
  [
    'memory that is nearly full',
    {
      memory: { total: 1000 * MiB, free: 90 * MiB },
      swap: { total: 500 * MiB, free: 20 * MiB },
      killed: 0,
      changes: { total: 500 * MiB, free: 450 * MiB },
    },
    {
      message: 'vnode1 has 90 of 1000 MiB of memory left: programs may be killed.',
      hint: 'End what needs much (free, top). Changed files take 50 MiB of it; /persist takes none.',
      console: [],
    },
  ],
  [
    'the same where nobody tells of changes',
    { memory: { total: 1000 * MiB, free: 0 }, swap: none, killed: 3 },
    {
      message: 'vnode1 has 0 of 1000 MiB of memory left: programs may be killed.',
      hint: 'End what needs much (free, top).',
      console: [],
    },
  ],
  [
    'changes that leave little room for others',
    {
      memory: { total: 1000 * MiB, free: 500 * MiB },
      swap: none,
      killed: 0,
      changes: { total: 500 * MiB, free: 49 * MiB },
    },
    {
      message: 'What was changed on vnode1 takes 451 of the 500 MiB that may be changed.',
      hint: 'Remove files there, or move them to /persist. A reboot forgets them: walt node reboot vnode1',
      console: [],
    },
  ],
  [
    'nothing, with a tenth left',
    {
      memory: { total: 10 * MiB, free: MiB },
      swap: none,
      killed: 0,
      changes: { total: 10 * MiB, free: MiB },
    },
    null,
  ],
];
for (const [what, room, expected] of rooms) {
  test(`a node’s trouble is ${what}`, () => {
    const known = { boot: undefined, power: undefined, canSwitch: true, failure: null, room };
    assert.deepEqual(troubleWords({ name: 'vnode1', type: 'virtual' }, known), expected);
  });
}

describe("a node's clock", () => {
  const now = Date.UTC(2026, 10, 29) / 1000;
  const table: [off: number, told: string | undefined][] = [
    [0, undefined],
    [-200, undefined],
    [400, "Its clock is 6 minutes ahead of the server's: it says 2026-11-29."],
    [-3 * 86_400, "Its clock is 3 days behind the server's: it says 2026-11-26."],
    [-now, "Its clock is 56 years behind the server's: it says 1970-01-01."],
  ];
  for (const [off, told] of table) {
    test(`that is off by ${off} s: ${told ?? 'nothing to tell'}`, () =>
      assert.equal(clockTrouble(now + off, now), told));
  }
});
