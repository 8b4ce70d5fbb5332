import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVERYBODY } from '../access/index.ts';
import { readConfig } from '../platform/index.ts';
import { type Bounds, boundsOf, NOTHING_USED, Quotas, requireSomeLeft, requireWithin } from './quotas.ts';

const { quotas: config } = readConfig(
  `quotas:
  default: { virtual-nodes: 4, memory: 1024 }
  roles:
    viewer: { virtual-nodes: 0 }
    administrator: { virtual-nodes: unlimited }
  groups:
    students: { virtual-nodes: 2, cores: 3 }
    lab: { virtual-nodes: 8 }
    "LAB\\\\domain users": { virtual-nodes: 5 }
  users:
    ann: { virtual-nodes: 6 }
    bob: { virtual-nodes: unlimited, memory: unlimited }
`,
  'server.conf',
);

const cases: [
  user: string,
  groups: string[],
  role: 'viewer' | 'member' | 'administrator' | undefined,
  nodes: string,
][] = [
  ['carol', [], 'member', '4 quotas.default'],
  ['carol', [], 'viewer', '0 quotas.roles.viewer'],
  ['carol', [], 'administrator', 'none'],
  ['carol', ['students'], 'viewer', '2 quotas.groups.students'],
  // The group that allows most.
  ['carol', ['students', 'lab', 'users'], 'member', '8 quotas.groups.lab'],
  ['carol', ['LAB\\domain users'], 'member', '5 quotas.groups.LAB\\domain users'],
  ['ann', ['lab'], 'administrator', '6 quotas.users.ann'],
  ['bob', ['students'], 'member', 'none'],
  // Not a user of the machine any more.
  ['dave', [], undefined, '4 quotas.default'],
  // A name that every object has is nobody's entry.
  ['constructor', ['__proto__'], 'member', '4 quotas.default'],
];
for (const [user, groups, role, nodes] of cases) {
  test(`${user}, ${role} of ${groups.join(', ') || 'no group'}: ${nodes}`, () => {
    const found = boundsOf({ user, groups: new Set(groups), role }, config)['virtual-nodes'];
    assert.equal(found ? `${found.most} ${found.from}` : 'none', nodes);
  });
}

test('each quota is looked for by itself', () => {
  const bounds = boundsOf({ user: 'ann', groups: new Set(['students']), role: 'member' }, config);
  assert.deepEqual(bounds, {
    'virtual-nodes': { most: 6, from: 'quotas.users.ann' },
    cores: { most: 3, from: 'quotas.groups.students' },
    memory: { most: 1024 * 1024 * 1024, from: 'quotas.default' },
  });
});

const bounds: Bounds = {
  'virtual-nodes': { most: 2, from: 'quotas.default' },
  images: { most: 10 * 1024 * 1024, from: 'quotas.users.ann' },
};
const nodes = (count: number) => ({
  ...NOTHING_USED,
  'virtual-nodes': Array.from({ length: count }, (_, at) => ({ name: `n${at + 1}`, amount: 1 })),
});
const images = (...sizes: number[]) => ({
  ...NOTHING_USED,
  images: sizes.map((size, at) => ({ name: `i${at + 1}`, amount: size * 1024 * 1024 })),
});

test('what would pass a quota is refused with what is used, by what, and what to do', () => {
  requireWithin('ann', bounds, nodes(1), nodes(2));
  assert.throws(() => requireWithin('ann', bounds, nodes(2), nodes(3)), {
    code: 'FORBIDDEN',
    message:
      'The quota of ann is 2 virtual nodes (quotas.default in server.conf): 2 are in use (n1, n2), and this needs 1 more.',
    hint: /^Remove a node .*, or ask the administrator\. See all with: walt advanced quotas$/,
  });
  assert.throws(() => requireWithin('ann', bounds, images(1, 2, 3, 3), images(1, 2, 3, 3, 4)), {
    message:
      'The quota of ann is 10 MiB of image space (quotas.users.ann in server.conf): 9 MiB is in use (i3, i4, i2 and 1 more), and this needs 4 MiB more.',
  });
});

test('where a quota was lowered below what is used, nothing more is given, and all can be given back', () => {
  requireWithin('ann', bounds, nodes(5), nodes(5));
  requireWithin('ann', bounds, nodes(5), nodes(4));
  requireWithin('ann', bounds, images(20), { ...images(12), 'virtual-nodes': [{ name: 'a', amount: 1 }] });
  assert.throws(() => requireWithin('ann', bounds, nodes(5), nodes(6)), /5 are in use/);
});

test('long work is not begun when nothing is left', () => {
  requireSomeLeft('ann', bounds, images(9), 'images');
  assert.throws(() => requireSomeLeft('ann', bounds, images(10), 'images'), {
    message:
      'The quota of ann is 10 MiB of image space (quotas.users.ann in server.conf): 10 MiB is in use (i1).',
  });
});

test('groups are asked for when they count, and believed for ten seconds', async () => {
  let now = 0;
  let asked = 0;
  const groupsOf = async (user: string) => {
    asked += 1;
    return user === 'gone' ? undefined : new Set(['students']);
  };
  const quotas = new Quotas({ config, access: EVERYBODY, groupsOf, now: () => now });
  assert.equal((await quotas.of('carol')).cores?.most, 3);
  await quotas.of('carol');
  assert.equal(asked, 1);
  now = 10_001;
  await quotas.of('carol');
  assert.equal(asked, 2);
  assert.equal((await quotas.of('root'))['virtual-nodes']?.most, 2);
  assert.deepEqual((await quotas.of('gone'))['virtual-nodes'], { most: 4, from: 'quotas.default' });
  assert.equal(await quotas.knows('gone'), false);
  const none = new Quotas({ config: readConfig('', 'x').quotas, access: EVERYBODY, groupsOf });
  assert.deepEqual(await none.of('carol'), {});
  assert.equal(asked, 4);
});
