import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isUserError } from '../platform/index.ts';
import { expandSet, selectSet } from './sets.ts';

const nodes = [
  { name: 'vnode10', image_owner: 'alice' },
  { name: 'vnode2', image_owner: 'alice' },
  { name: 'rpi', image_owner: 'bob' },
  { name: 'spare', image_owner: 'waltplatform' },
];
const names = (set: string, user = 'alice') => expandSet(set, nodes, user).map((node) => node.name);

const table: [string, string[]][] = [
  ['rpi', ['rpi']],
  ['vnode10,vnode2', ['vnode2', 'vnode10']],
  ['rpi,rpi', ['rpi']],
  ['my-nodes', ['vnode2', 'vnode10']],
  ['free-nodes', ['spare']],
  ['all-nodes', ['rpi', 'spare', 'vnode2', 'vnode10']],
  ['free-nodes,rpi', ['rpi', 'spare']],
];
for (const [set, expected] of table) {
  test(`"${set}" means ${expected.join(' ')}`, () => assert.deepEqual(names(set), expected));
}

test('a node may be called as what each object has', () => {
  assert.throws(() => names('constructor'), /no node named "constructor"/);
  assert.throws(() => selectSet('constructor', nodes, 'alice'), /no node named "constructor"/);
  const named = [...nodes, { name: 'constructor', image_owner: 'bob' }];
  assert.deepEqual(
    expandSet('constructor', named, 'alice').map(({ name }) => name),
    ['constructor'],
  );
});

test('an unknown name is an error that offers what is near', () => {
  assert.throws(
    () => names('vnode2,vnode3'),
    (error) =>
      isUserError(error) &&
      error.code === 'NOT_FOUND' &&
      /"vnode3"/.test(error.message) &&
      /vnode2/.test(error.hint),
  );
});

test('an empty set is an error where nodes are needed, and an empty list in a listing', () => {
  assert.throws(() => names('my-nodes', 'carol'), /No node matches "my-nodes"/);
  assert.deepEqual(selectSet('my-nodes', nodes, 'carol'), []);
  assert.throws(() => selectSet('nobody', nodes, 'carol'), /no node named "nobody"/);
});
