import assert from 'node:assert/strict';
import { test } from 'node:test';
import { strangersOn } from './networks.ts';

const node = (name: string, image_owner: string, networks?: string) => ({
  ...{ name, image_owner, model: 'pc-x86-64' },
  settings: networks === undefined ? {} : { networks },
});
const home = 'walt-net,home-net[bw=1Mbps]';
const all = [
  node('a1', 'alice', home),
  node('a2', 'alice'),
  node('b1', 'bob', `${home},lab`),
  node('b2', 'bob', 'walt-net'),
  node('f1', 'waltplatform', 'walt-net,free-net'),
];

const rows: [title: string, before: string | undefined, after: string, owner: string, strangers: string[]][] =
  [
    ['who joins nothing meets nobody', 'walt-net', 'walt-net', 'carol', []],
    ['who is on walt-net alone meets nobody', undefined, 'walt-net[lat=1ms]', 'carol', []],
    ['a network that nobody is on is empty', 'walt-net', 'walt-net,own', 'carol', []],
    ['others are there', 'walt-net', 'walt-net,home-net', 'carol', ['a1 home-net', 'b1 home-net']],
    ['one is met once', undefined, 'walt-net,lab,home-net', 'alice', ['b1 home-net']],
    ['nodes of the same owner are no strangers', undefined, 'walt-net,lab', 'bob', []],
    ['who is there stays', home, 'walt-net,home-net[lat=1ms]', 'carol', []],
    ['free nodes are there, too', 'walt-net', 'walt-net,free-net', 'carol', ['f1 free-net']],
  ];
for (const [title, before, after, owner, strangers] of rows) {
  test(title, () => {
    const joining = [
      { before: before === undefined ? undefined : node('n', owner, before), after: node('n', owner, after) },
    ];
    assert.deepEqual(
      strangersOn(joining, all).map(({ name, network }) => `${name} ${network}`),
      strangers,
    );
  });
}
