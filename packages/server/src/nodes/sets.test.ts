import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DescribedNode } from '@walt/contract';
import { isUserError } from '../platform/index.ts';
import { expandSet, type SetMember, selectSet } from './sets.ts';

const nodes: readonly SetMember[] = [
  { name: 'vnode10', image_owner: 'alice' },
  { name: 'vnode2', image_owner: 'alice' },
  { name: 'rpi', image_owner: 'bob' },
  { name: 'spare', image_owner: 'waltplatform' },
];
const pi = { type: 'physical', model: 'rpi-4-b', architecture: 'arm64', power: { kind: 'poe' } };
const pc = {
  ...{ type: 'virtual', model: 'pc-x86-64', architecture: 'amd64' },
  power: { kind: 'virtual machine' },
};
const described: Record<string, Omit<DescribedNode, 'name'>> = {
  vnode10: { ...pc, image: 'alice/lab', owner: 'alice', state: 'booted', current: false },
  vnode2: { ...pc, image: 'alice/lab2', owner: 'alice', state: 'booting', current: true },
  rpi: { ...pi, image: 'bob/lab', owner: 'bob', state: 'booted', current: true },
  spare: { ...pi, image: 'waltplatform/rpi-default', owner: null, state: 'off', current: true },
};
const describe = async (some: readonly SetMember[]) =>
  some.map(({ name }) => ({ name, ...described[name] }) as DescribedNode);
const names = async (set: string, user = 'alice', all = nodes) =>
  (await expandSet(set, all, user, describe)).map((node) => node.name);
const listed = (set: string, user: string) => selectSet(set, nodes, user, describe);

const table: [string, string[]][] = [
  ['rpi', ['rpi']],
  ['vnode10,vnode2', ['vnode2', 'vnode10']],
  ['rpi,rpi', ['rpi']],
  ['my-nodes', ['vnode2', 'vnode10']],
  ['free-nodes', ['spare']],
  ['all-nodes', ['rpi', 'spare', 'vnode2', 'vnode10']],
  ['free-nodes,rpi', ['rpi', 'spare']],
  ['vnode*', ['vnode2', 'vnode10']],
  ['vnode?,r*', ['rpi', 'vnode2']],
  ['vnode[0-9]', ['vnode2']],
  ['all-nodes model=rpi-4-b', ['rpi', 'spare']],
  ['all-nodes model!=rpi-4-b', ['vnode2', 'vnode10']],
  ['all-nodes model=rpi-* state=booted', ['rpi']],
  ['all-nodes state=off,booting', ['spare', 'vnode2']],
  ['all-nodes state!=off,booting', ['rpi', 'vnode10']],
  ['all-nodes owner=none', ['spare']],
  ['all-nodes owner=alice type=virtual current=no', ['vnode10']],
  ['all-nodes image=lab', ['vnode10']],
  ['all-nodes image=lab*', ['vnode2', 'vnode10']],
  ['all-nodes image=*/lab', ['rpi', 'vnode10']],
  ['all-nodes image!=bob/lab,lab', ['spare', 'vnode2']],
  ['all-nodes power=virtual-machine', ['vnode2', 'vnode10']],
  ['my-nodes name=*0', ['vnode10']],
];
for (const [set, expected] of table) {
  test(`"${set}" means ${expected.join(' ')}`, async () => assert.deepEqual(await names(set), expected));
}

test('a node may be called as what each object has', async () => {
  await assert.rejects(names('constructor'), /no node named "constructor"/);
  await assert.rejects(listed('constructor', 'alice'), /no node named "constructor"/);
  const named = [...nodes, { name: 'constructor', image_owner: 'bob' }];
  assert.deepEqual(await names('constructor', 'alice', named), ['constructor']);
});

test('an unknown name is an error that offers what is near', async () => {
  await assert.rejects(
    names('vnode2,vnode3'),
    (error) =>
      isUserError(error) &&
      error.code === 'NOT_FOUND' &&
      /"vnode3"/.test(error.message) &&
      /vnode2/.test(error.hint),
  );
});

test('an empty set is an error where nodes are needed, and an empty list in a listing', async () => {
  await assert.rejects(names('my-nodes', 'carol'), /No node matches "my-nodes"/);
  await assert.rejects(names('rpi state=off'), /No node matches "rpi state=off"/);
  assert.deepEqual(await listed('my-nodes', 'carol'), []);
  assert.deepEqual(await listed('my-nodes state=off', 'alice'), []);
  await assert.rejects(listed('nobody', 'carol'), /no node named "nobody"/);
});

test('a name or pattern that no node answers to is told, though others do', async () => {
  await assert.rejects(names('rpi,px-*'), /No node matches "px-\*"/);
  await assert.rejects(listed('rpi,px-*', 'alice'), /No node matches "px-\*"/);
  await assert.rejects(names('rpi,nobody model=rpi-4-b'), /no node named "nobody"/);
});

test('the costliest pattern over many nodes comes to its end', async () => {
  const many = Array.from({ length: 1000 }, (_, index) => ({
    name: `${'a'.repeat(58)}${index}`,
    image_owner: 'alice',
  }));
  await assert.rejects(names(`${'*a'.repeat(63)}*b`, 'alice', many), /No node matches/);
});
