import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PLATFORM_OWNER } from '@walt/contract';
import { type CountedNode, nodeUses } from './node-quotas.ts';

const MIB = 1024 * 1024;
const LIMIT = 100 * MIB;

function node(id: number, name: string, image_owner: string, more: Partial<CountedNode> = {}): CountedNode {
  return { id, name, image_owner, type: 'virtual', model: 'pc-x86-64', settings: {}, made_by: null, ...more };
}

const nodes = [
  node(1, 'own', 'ann', { made_by: 'ann', settings: { 'cpu.cores': '4', ram: '2G' } }),
  node(2, 'taken', 'ann', { made_by: 'bob', settings: { 'mount.persist': 'false' } }),
  node(3, 'given', 'bob', { made_by: 'ann' }),
  node(4, 'free', PLATFORM_OWNER, { made_by: 'ann' }),
  node(5, 'board', 'ann', { type: 'physical' }),
  node(6, 'old', PLATFORM_OWNER),
];
const told = (user: string, persist: Parameters<typeof nodeUses>[2] = []) =>
  Object.fromEntries(
    Object.entries(nodeUses(user, nodes, persist, LIMIT)).map(([name, items]) => [
      name,
      items
        .map((item) => `${item.name} ${item.amount >= MIB ? `${item.amount / MIB}M` : item.amount}`)
        .join(),
    ]),
  );

test('a virtual node counts for its owner, and a free one for who made it', () => {
  assert.deepEqual(told('ann'), {
    'virtual-nodes': 'own 1,taken 1,free 1',
    cores: 'own 4,taken 2,free 2',
    memory: 'own 2048M,taken 1024M,free 1024M',
    images: '',
    persist: 'own 100M,board 100M',
  });
  assert.equal(told('bob')['virtual-nodes'], 'given 1');
  assert.deepEqual(
    Object.values(told('carol')).filter((text) => text !== ''),
    [],
  );
});

test('a /persist counts with its size where it may grow, and else with what is in it', () => {
  const persist = [
    // Made when the limit was larger.
    { node: 1, size: 300 * MIB, used: MIB },
    { node: 5, size: LIMIT, used: 0 },
    // Not mounted; of somebody else's by now; of no node that is there.
    { node: 2, size: LIMIT, used: 7 * MIB },
    { node: 3, size: LIMIT, used: 3 * MIB },
    { node: 9, size: LIMIT, used: 2 * MIB },
  ];
  assert.equal(told('ann', persist).persist, 'own 300M,board 100M,taken 7M,given 3M,node 9 2M');
});
