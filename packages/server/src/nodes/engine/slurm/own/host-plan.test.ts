import assert from 'node:assert/strict';
import { test } from 'node:test';
import { featuresOf, type HostPlan, type HostWish, planHost } from './host-plan.ts';

const WISH: HostWish = {
  ...{ name: 'h1', url: 'ssh://root@rack1', features: [], kvm: false, volumes: false },
};
const PLAN: HostPlan = { nodes: true, volumes: false, features: [] };

const plans: [
  what: string,
  wish: Partial<HostWish>,
  before: string[] | undefined,
  plan: Partial<HostPlan>,
][] = [
  ['a host', {}, undefined, {}],
  ['one that keeps volumes, too', { volumes: true }, undefined, { volumes: true }],
  ['one that does nothing else', { volumes: 'only' }, undefined, { volumes: true, nodes: false }],
  ['a repeat, where nothing is said', {}, ['amd64', 'kvm'], {}],
  ['volumes for a host that is there', { volumes: true }, ['amd64', 'kvm'], { volumes: true }],
  ['a repeat forgets no volumes', {}, ['amd64', 'volumes'], { volumes: true }],
  ['nor that it runs no nodes', {}, ['amd64', 'volumes', 'no-nodes'], { volumes: true, nodes: false }],
  [
    'nor what it was said to have',
    { features: ['usb', 'gpu'] },
    ['amd64', 'gpu', 'volumes'],
    { volumes: true, features: ['gpu', 'usb'] },
  ],
];
for (const [what, wish, before, plan] of plans) {
  test(`what a machine is to be: ${what}`, () => {
    assert.deepEqual(planHost({ ...WISH, ...wish }, before), { ...PLAN, ...plan });
  });
}

const refused: [
  what: string,
  wish: Partial<HostWish>,
  before: string[] | undefined,
  told: RegExp,
  next: RegExp,
][] = [
  ['a bad name', { name: '-h1' }, undefined, /no name for a host/, /small letters/],
  ['a bad word', { features: ['a b'] }, undefined, /no word/, /letters/],
  [
    'KVM without nodes',
    { kvm: true, volumes: 'only' },
    undefined,
    /h1 is to keep volumes only/,
    /--volumes /,
  ],
  ['a host that runs nodes', { volumes: 'only' }, ['amd64'], /h1 runs virtual nodes/, /host remove h1/],
  ['KVM of one that runs none', { kvm: true }, ['no-nodes'], /volumes only/, /host remove h1/],
];
for (const [what, wish, before, told, next] of refused) {
  test(`what no machine can be: ${what}`, () => {
    assert.throws(() => planHost({ ...WISH, ...wish }, before), { message: told, hint: next });
  });
}

test('features of a host', () => {
  const plan = { nodes: false, volumes: true, features: ['gpu'] };
  assert.deepEqual(featuresOf(plan, ['amd64']), ['amd64', 'gpu', 'volumes', 'no-nodes']);
  assert.deepEqual(featuresOf(PLAN, ['amd64', 'kvm']), ['amd64', 'kvm']);
});
