import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adapterOn, type Machine } from '../virtual/index.ts';
import { planNetworks } from './networks.ts';
import { machine, node } from './plan.fixture.ts';

const onHome: Machine = { ...machine, networks: [{ name: 'walt-net' }, { name: 'home-net' }] };
const { tap } = adapterOn(onHome, 'home-net');
const other = adapterOn(onHome, 'lab').tap;
const seen = (name: string, isUsed: boolean) => ({ tap: name, node: 1, network: 'home-net', isUsed });
const home = { ...node, machine: onHome };

const rows: [
  title: string,
  machine: Machine | null,
  watched: Machine | undefined,
  taps: object[],
  removed: string[],
][] = [
  ['is there for the one that names it', onHome, onHome, [seen(tap, true)], []],
  ['waits for a machine that does not run yet', onHome, onHome, [seen(tap, false)], []],
  ['stays while a machine has it open', machine, machine, [seen(tap, true)], []],
  ['goes once no machine has it open, and none will', machine, machine, [seen(tap, false)], [tap]],
  ['stays until it is known what will be started', machine, onHome, [seen(tap, false)], []],
  ['stays after a start of the server until then', machine, undefined, [seen(tap, false)], []],
  ['goes alone', onHome, onHome, [seen(tap, false), seen(other, false)], [other]],
  ['of a node that became a physical one goes', null, undefined, [seen(tap, false)], [tap]],
];
for (const [title, wanted, watched, taps, removed] of rows) {
  test(`a tap ${title}`, () => {
    const world = { taps: taps as never, watched: new Map(watched ? [[1, watched]] : []) };
    assert.deepEqual(
      planNetworks([{ ...home, machine: wanted }], world),
      removed.length > 0 ? [{ kind: 'removeTaps', taps: removed }] : [],
    );
  });
}

test('a tap of a removed node goes once its machine has ended', () => {
  const watched = new Map();
  assert.deepEqual(planNetworks([], { taps: [seen(tap, true)], watched }), []);
  assert.deepEqual(planNetworks([], { taps: [seen(tap, false)], watched }), [
    { kind: 'removeTaps', taps: [tap] },
  ]);
});
