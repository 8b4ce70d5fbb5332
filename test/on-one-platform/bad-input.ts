/** What wrong or impossible wishes get: an error that names the thing and the next step, and nothing half done. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Image } from '@walt/contract';
import { DEFAULT_IMAGE, type Platform } from '../platform.ts';
import { haveIdleNodes, leavePlatform, usePlatform } from '../shared-platform.ts';

let platform: Platform;

before(async () => {
  platform = await usePlatform();
  await haveIdleNodes(platform, 'vnode1');
});
after(leavePlatform);

/** Words, exit status, what the message must name. */
const refused: readonly (readonly [words: readonly string[], status: 1 | 2, names: RegExp])[] = [
  // Wrong usage
  [['nod', 'show'], 2, /"nod".*\n.*node/],
  [['node', 'shwo'], 2, /"shwo".*\n.*show/],
  [['node', 'show', '--no-such-option'], 2, /--no-such-option/],
  [['node', 'create'], 2, /name/],
  [['node', 'create', 'n2', '--ram', 'much'], 1, /much|512M/],
  [['node', 'wait', 'vnode1', '--timeout', 'soon'], 2, /soon|90/],
  // Ill-formed names
  [['node', 'create', 'UPPER'], 1, /lower-case/],
  [['node', 'create', '--', '-dash'], 1, /lower-case/],
  [['node', 'create', 'a'], 1, /2 to 63/],
  [['node', 'create', '1st'], 1, /letter/],
  [['node', 'create', 'with space'], 1, /lower-case/],
  [['node', 'create', "$(touch x)'\n"], 1, /lower-case/],
  [['node', 'reboot', 'vnode1,,vnode1'], 1, /commas/],
  [['node', 'rename', 'vnode1', 'not_good'], 1, /lower-case/],
  [['image', 'duplicate', `waltplatform/${DEFAULT_IMAGE}`, 'Bad Name'], 1, /lower-case/],
  [['image', 'duplicate', `waltplatform/${DEFAULT_IMAGE}`, 'default'], 1, /default/],
  [['image', 'duplicate', '../../etc', 'x'], 1, /owner\/name/],
  // Unknown names
  [['node', 'reboot', 'vnode2'], 1, /vnode2[\s\S]*vnode1/],
  [['node', 'shell', 'nobody-there'], 1, /nobody-there/],
  [['node', 'run', 'nobody-there', '--', 'true'], 1, /nobody-there/],
  [['node', 'cp', 'nobody-there:/etc/issue', '/tmp'], 1, /nobody-there/],
  [['node', 'ping', 'nobody-there'], 1, /nobody-there/],
  [['node', 'console', 'nobody-there'], 1, /nobody-there/],
  [['node', 'wait', 'vnode1,nobody-there'], 1, /nobody-there/],
  [['node', 'boot', 'vnode1', 'no-such-image'], 1, /no-such-image/],
  [['node', 'boot', 'vnode1', 'nobody/image'], 1, /nobody/],
  [['node', 'create', 'n2', '--image', 'no-such-image'], 1, /no-such-image/],
  [['image', 'shell', 'no-such-image'], 1, /no-such-image/],
  [['image', 'remove', 'no-such-image'], 1, /no-such-image/],
  [['image', 'rename', 'no-such-image', 'other'], 1, /no-such-image/],
  [['image', 'cp', 'no-such-image:/etc/issue', '/tmp'], 1, /no-such-image/],
  [['help', 'show', 'no-such-topic'], 1, /no-such-topic/],
  // Taken names, and words with a meaning
  [['node', 'create', 'vnode1'], 1, /vnode1/],
  [['node', 'create', 'my-nodes'], 1, /my-nodes/],
  [['node', 'create', 'server'], 1, /server/],
  // Neither side is remote
  [['node', 'cp', '/etc/issue', '/tmp/issue'], 2, /NODE:PATH/],
];

for (const [words, status, names] of refused) {
  test(`walt ${words.map((word) => JSON.stringify(word)).join(' ')}`, async () => {
    const before = await platform.node();
    const answer = await platform.root.walt(...words);
    assert.equal(answer.status, status, answer.stderr);
    assert.match(answer.stderr, names);
    assert.match(answer.stderr, /^walt: .+\n {2}→ .+/, 'a sentence and the next step');
    assert.doesNotMatch(answer.stderr, /\bBUG\b|bug in walt|^ +at /m);
    assert.equal(answer.stdout, '');
    const without = (nodes: typeof before) => nodes.map(({ name, image }) => ({ name, image }));
    assert.deepEqual(without(await platform.node()), without(before), 'nothing has changed');
  });
}

test('with --json an error is data', async () => {
  const { status, stderr } = await platform.root.walt('node', 'reboot', 'vnode2', '--json');
  assert.equal(status, 1);
  const { error } = JSON.parse(stderr);
  assert.equal(error.code, 'NOT_FOUND');
  assert.match(error.message, /vnode2/);
  assert.match(error.hint, /vnode1/);
});

test('node wait ends at its time limit', async () => {
  const { status, stderr } = await platform.root.walt('node', 'wait', 'vnode1', '--timeout', '1');
  assert.equal(status, 1);
  assert.match(stderr, /^walt: vnode1 is not booted after 1 seconds\.\n {2}→ .+/m);
});

test('an image whose kernel is gone is lent one', async () => {
  const { root } = platform;
  await root.ok('image', 'duplicate', `waltplatform/${DEFAULT_IMAGE}`, 'kernelless');
  const { status, stderr } = await root.run(root.command('image', 'shell', 'kernelless', '--save'), {
    input: 'rm -rf /boot/* /lib/modules\nexit\n',
  });
  assert.equal(status, 0, stderr);
  const images = await root.json<Image[]>('image', 'show', '--all');
  const [complete, kernelless] = [DEFAULT_IMAGE, 'kernelless'].map((wanted) =>
    images.find(({ name }) => name === wanted),
  );
  assert.deepEqual([complete?.lends, kernelless?.lends], [[], ['kernel']]);
  assert.equal(kernelless?.kernel, complete?.kernel);
});

test('a server that does not run is said to be that', async () => {
  const { root } = platform;
  const { status, stderr } = await root.run([root.launcher, 'node', 'show'], {
    env: { WALT_SOCKET: join(platform.folder, 'no.sock') },
  });
  assert.equal(status, 1);
  assert.match(stderr, /no\.sock[\s\S]*→ .*walt-server/);
});
