import assert from 'node:assert/strict';
import { test } from 'node:test';
import { timesOf } from './told-steps.ts';

const told = { up: 10, network: 2, root: 5, init: 6 };
const times = { network: 992, root: 995, init: 996 };
const cases: [what: string, Partial<typeof told>, asked: number, expected: object][] = [
  ['what fits', {}, 980, times],
  ['what fits, though clocks count in other steps', {}, 991.5, times],
  ['a kernel that started before its boot script was asked for', {}, 995, {}],
  ['steps in another order', { network: 7 }, 980, {}],
  ['a root before the network', { root: 1 }, 980, {}],
  ['a step to come', { init: 11 }, 980, {}],
  ['an uptime of weeks', { up: 999_999 }, 980, {}],
];
for (const [what, change, asked, expected] of cases) {
  test(`a node tells ${what}`, () =>
    assert.deepEqual(timesOf({ ...told, ...change }, asked, 1000), expected));
}
