import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PLATFORM_OWNER } from '@walt/contract';
import { type About, type Action, demand, demandAll, isAllowed, policy } from './policy.ts';

const alice = { uid: 1000, user: 'alice', role: 'member' as const };
const bob = { uid: 1001, user: 'bob', role: 'member' as const };
const root = { uid: 0, user: 'root', role: 'administrator' as const };

/** Who may at once, and the code, sentence and next step for everybody else. */
type Row<A extends Action> = [about: About<A>, may: string, code: string, sentence: string, hint: string];

const exp = { owner: 'alice', name: 'exp:2' };
const lab = { name: 'lab', owner: 'alice' };
const copy = 'Make a copy of your own: walt image duplicate alice/exp:2 exp-copy';
const answer = 'Answer the question, or repeat the command with --yes.';
const change = (deed: string): Row<'image.change'> => [
  ...([exp, 'alice root', 'FORBIDDEN'] as const),
  `Image alice/exp:2 belongs to alice: you cannot ${deed} it.`,
  copy,
];
const act = (deed: string): Row<'node.boot'> => [
  ...([lab, 'alice', 'CONFIRM'] as const),
  `lab is in use by alice. Do you want to ${deed}?`,
  answer,
];

const table: { [A in Action]: Row<A> } = {
  'image.see': [
    ...([{ ...exp, hidden: true }, 'alice root', 'NOT_FOUND'] as const),
    ...(['There is no image named "alice/exp:2".', 'See: walt image show --all'] as const),
  ],
  'image.allow': change('hide or share'),
  'image.rename': change('rename'),
  'image.remove': change('remove'),
  'image.change': change('change'),
  'image.giveUp': change('give up versions of'),
  'image.removeOfOthers': [
    ...([exp, 'alice', 'CONFIRM'] as const),
    'Image alice/exp:2 belongs to alice.',
    'Pass --yes to remove it all the same.',
  ],
  'image.replace': [
    ...([exp, '', 'CONFIRM'] as const),
    'You have an image exp:2 already; it would be replaced.',
    'Choose another name, or pass --yes to replace it.',
  ],
  'image.forget': [
    ...([{ ...exp, count: 2, size: 3_100_000 }, '', 'CONFIRM'] as const),
    '2 versions of image alice/exp:2 would go for good (4 MB on disk).',
    'Pass --dry-run to see which, --yes to remove them.',
  ],
  'image.boot': [
    ...([exp, 'alice', 'FORBIDDEN'] as const),
    "alice/exp:2 is alice's image: a node that boots it would be alice's.",
    'Make your own copy first: walt image duplicate alice/exp:2 exp:2',
  ],
  'device.use': [
    ...([lab, 'alice root', 'FORBIDDEN'] as const),
    ...(['lab belongs to alice.', 'Ask alice.'] as const),
  ],
  'device.forget': [
    ...([lab, '', 'CONFLICT'] as const),
    'lab is in use by alice.',
    'It must be free first: walt node release lab',
  ],
  'registry.publish': [
    ...([{ label: 'hub', login: null }, '', 'FORBIDDEN'] as const),
    'You are not logged in to registry "hub".',
    'Log in with: walt registry login hub',
  ],
  'registry.replace': [
    ...([{ label: 'hub', reference: 'ann/exp:2' }, '', 'CONFIRM'] as const),
    'Registry "hub" has another image ann/exp:2 already; it would be replaced.',
    'Choose another name with --name, or pass --yes to replace it.',
  ],
  'session.use': [
    ...([{ id: '12ab', image: 'alice/exp', user: 'alice' }, 'alice root', 'FORBIDDEN'] as const),
    'Session 12ab on image alice/exp was opened by alice.',
    'Ask alice to save or discard it.',
  ],
  'node.use': [
    ...([lab, 'alice root', 'FORBIDDEN'] as const),
    'Node lab belongs to alice.',
    'Ask alice to let you use it (walt node allow) or to release it, or take a free node: walt node show --all',
  ],
  'node.enter': [
    ...([{ ...lab, owner: null, bootOwner: 'alice' }, 'alice root', 'UNAVAILABLE'] as const),
    'Node lab still runs what alice booted; it is told to reboot.',
    'Wait for it: walt node wait lab',
  ],
  'node.allow': [
    ...([lab, 'alice root', 'FORBIDDEN'] as const),
    ...(['lab is in use by alice: only the owner says who else may use a node.', 'Ask alice.'] as const),
  ],
  'node.acquire': [
    ...([lab, 'alice', 'CONFLICT'] as const),
    'lab is in use by alice.',
    'Ask for: walt node release lab',
  ],
  'node.boot': act('take it over'),
  'node.reboot': act('reboot it'),
  'node.release': act('release it'),
  'node.rename': act('rename it'),
  'node.config': act('change its settings'),
  'node.power': [
    ...([lab, 'root', 'FORBIDDEN'] as const),
    'Only an administrator says who has the power of a node.',
    'Ask the administrator for: sudo walt node config lab power=…',
  ],
  'node.takePort': [
    ...([{ name: 'lab', port: 443 }, 'root', 'FORBIDDEN'] as const),
    'Only an administrator opens ports of the server machine below 1024, as 443.',
    'Take a higher one, or ask the administrator for: sudo walt node config lab expose=…',
  ],
  'node.joinNetwork': [
    ...([{ ...lab, network: 'home-net' }, 'alice', 'CONFIRM'] as const),
    'lab is on home-net already, of alice: they would hear each other. Go on?',
    'Choose another name for the network, answer the question, or repeat the command with --yes.',
  ],
  'node.remove': act('remove it'),
  'quota.ofOthers': [
    ...([{}, 'root', 'FORBIDDEN'] as const),
    'Only an administrator sees the quotas of others.',
    'Leave out --all to see yours.',
  ],
  'log.import': [
    ...([{}, 'root', 'FORBIDDEN'] as const),
    'Only an administrator imports lines of logs: they may be of any node, and of the platform.',
    'Ask the administrator for: sudo walt log import FILE',
  ],
  'node.loseDisks': [
    ...([{ name: 'lab', disks: [{ number: 2, size: 1e12, used: 26_214_400 }] }, '', 'CONFIRM'] as const),
    'All data on disk 2 of lab (1 TB, 27 MB in use) would be lost for good. Go on?',
    answer,
  ],
  'node.forget': [
    ...([{ name: 'lab', disks: [{ number: 1, size: 32e9, used: 1.25e9 }] }, '', 'CONFIRM'] as const),
    'Removing lab deletes what is stored in /persist there, and disk 1 of lab (32 GB, 1.25 GB in use). Go on?',
    answer,
  ],
};

function check<A extends Action>(action: A, [about, may, code, message, hint]: Row<A>): void {
  for (const caller of [alice, bob, root]) {
    const asked = () => demand(action, caller, about);
    if (may.split(' ').includes(caller.user)) asked();
    else assert.throws(asked, { code, message, hint }, caller.user);
    const agreed = () => demand(action, caller, about, true);
    if (code === 'CONFIRM' || may.split(' ').includes(caller.user)) agreed();
    else assert.throws(agreed, { code }, `${caller.user} said yes`);
  }
}

describe('who may', () => {
  for (const action of Object.keys(policy) as Action[]) {
    test(action, () => check(action, table[action]));
  }
});

describe('everybody may', () => {
  test('use, enter and take free nodes', () => {
    const free = { name: 'lab', owner: null };
    for (const action of ['node.use', 'node.acquire', 'node.boot', 'node.remove'] as const)
      demand(action, bob, free);
    demand('node.enter', bob, { ...free, bootOwner: null });
  });

  test('see images that are not hidden, and hidden ones that are shared with him', () => {
    demand('image.see', bob, { ...exp, hidden: false });
    demand('image.see', bob, { ...exp, hidden: true, guest: true });
  });

  test("boot the platform's images", () => {
    demand('image.boot', bob, { owner: PLATFORM_OWNER, name: 'pc-x86-64-default' });
  });

  test('publish under the name of his login', () => {
    demand('registry.publish', bob, { label: 'hub', login: 'bob' });
  });

  test('give up an image of which no version is kept', () => {
    demand('image.forget', alice, { ...exp, count: 0, size: 0 });
  });
});

describe('whom an owner lets use his node', () => {
  const lent = { ...lab, guest: true };
  const acts = [
    ...(['node.use', 'node.enter', 'node.reboot', 'node.rename', 'node.config', 'node.boot'] as const),
    ...(['node.allow', 'node.acquire', 'node.release', 'node.remove'] as const),
  ];

  test('may do all with it but take it, give it away, or share it', () => {
    const about = { ...lent, bootOwner: 'alice', imageOwner: 'alice' };
    const may = acts.filter((act) => isAllowed(act, bob, about));
    assert.deepEqual(may, [
      'node.use',
      'node.enter',
      'node.reboot',
      'node.rename',
      'node.config',
      'node.boot',
    ]);
  });

  test('takes it over, or frees it, only after a question', () => {
    for (const imageOwner of ['bob', PLATFORM_OWNER])
      assert.throws(() => demand('node.boot', bob, { ...lent, imageOwner }), { code: 'CONFIRM' });
  });

  test('may not enter what a former owner booted there', () => {
    const about = { ...lent, bootOwner: 'carol' };
    assert.throws(() => demand('node.enter', bob, about), { code: 'UNAVAILABLE' });
  });

  test('may boot what its owner has', () => {
    demand('image.boot', bob, { ...exp, lent: true });
  });
});

test('what is refused is named, and nothing else', () => {
  const nodes = ['a', 'b', 'c', 'd'].map((name) => ({ name, owner: name < 'c' ? 'alice' : 'bob' }));
  assert.throws(() => demandAll('node.boot', bob, nodes), {
    message: 'a and b are in use by alice. Do you want to take them over?',
  });
  assert.throws(() => demandAll('node.acquire', root, nodes), {
    message: 'a, b, c and d are in use by alice, bob.',
    hint: 'Ask for: walt node release a,b,c,d',
  });
  demandAll('node.boot', bob, nodes.slice(2));
  demandAll('node.boot', bob, []);
});
