/** Who may do what to whose nodes and images: three real users of the machine. No node needs to boot for that. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, chown, mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import type { Node } from '@walt/contract';
import { run } from '../../packages/server/src/platform/index.ts';
import type { Client } from '../client.ts';
import { DEFAULT_IMAGE, type Platform } from '../platform.ts';
import { leavePlatform, usePlatform } from '../shared-platform.ts';
import { Terminal } from '../terminal.ts';

let platform: Platform;
let ann: Client;
let bob: Client;

before(async () => {
  platform = await usePlatform();
  ann = await platform.as('daemon');
  bob = await platform.as('games');
});
// A machine that boots takes half of a CPU from the tests that follow.
afterEach(() => platform.root.walt('node', 'remove', 'all-nodes', '--yes'));
after(leavePlatform);

async function ownerOf(name: string): Promise<string | null | undefined> {
  return (await platform.node()).find((node) => node.name === name)?.owner;
}

test('who calls is proven by the operating system', async () => {
  await ann.ok('node', 'create', 'of-ann');
  assert.equal(await ownerOf('of-ann'), 'daemon');
  // Whatever a client says about itself changes nothing.
  const liar = await bob.run([bob.launcher, 'node', 'show', '--json'], {
    env: { USER: 'daemon', LOGNAME: 'daemon' },
  });
  assert.deepEqual(JSON.parse(liar.stdout), []);
});

test('a released node is free, and whoever acquires it has it', async () => {
  await ann.ok('node', 'create', 'passed-on');
  await ann.ok('node', 'release', 'passed-on');
  assert.equal(await ownerOf('passed-on'), null);
  await bob.ok('node', 'acquire', 'passed-on');
  assert.equal(await ownerOf('passed-on'), 'games');
  const mine = await bob.json<Node[]>('node', 'show');
  assert.ok(mine.some(({ name, image }) => name === 'passed-on' && image === `games/${DEFAULT_IMAGE}`));

  const { status, stderr } = await ann.walt('node', 'acquire', 'passed-on');
  assert.equal(status, 1);
  assert.match(stderr, /passed-on.*games/);
  assert.equal(await ownerOf('passed-on'), 'games');
});

for (const [what, words, changed] of [
  ['reboot', ['node', 'reboot', 'of-bob-1'], 'games'],
  ['boot', ['node', 'boot', 'of-bob-2', `waltplatform/${DEFAULT_IMAGE}`], null],
  ['release', ['node', 'release', 'of-bob-3'], null],
  ['remove', ['node', 'remove', 'of-bob-4'], undefined],
] as const) {
  test(`node ${what} of another's node needs a yes`, async () => {
    const name = words[2];
    await bob.ok('node', 'create', name);
    const { status, stderr } = await ann.walt(...words);
    assert.equal(status, 1);
    assert.match(stderr, /games/, 'the owner is named');
    assert.match(stderr, /--yes/, 'and what to do without a terminal');
    assert.equal(await ownerOf(name), 'games', 'nothing has changed');
    await ann.ok(...words, '--yes');
    assert.equal(await ownerOf(name), changed);
  });
}

test('on a terminal the question is asked, and only a yes goes on', async () => {
  await bob.ok('node', 'create', 'asked-for');
  for (const [answer, status, owner] of [
    ['n', 1, 'games'],
    ['', 1, 'games'],
    ['y', 0, null],
  ] as const) {
    await using terminal = await Terminal.open(ann.command('node', 'release', 'asked-for'), { env: ann.env });
    await terminal.expect(/games[\s\S]*\[y\/N\]/);
    await terminal.enter(answer);
    assert.equal(await terminal.exited(), status);
    assert.equal(await ownerOf('asked-for'), owner);
  }
});

test("another's image can be seen and copied, not changed", async () => {
  await ann.ok('image', 'duplicate', `waltplatform/${DEFAULT_IMAGE}`, 'recipe');
  await bob.ok('image', 'duplicate', 'daemon/recipe', 'my-recipe');
  const own = (await bob.ok('image', 'show', '--names-only')).split('\n');
  assert.ok(own.includes('my-recipe'));
  for (const words of [
    ['image', 'remove', 'daemon/recipe', '--yes'],
    ['image', 'rename', 'daemon/recipe', 'stolen'],
    ['node', 'create', 'thief', '--image', 'daemon/recipe'],
  ]) {
    const { status, stderr } = await bob.walt(...words);
    assert.equal(status, 1, `${words.join(' ')} is refused`);
    assert.match(stderr, /daemon/);
  }
  assert.match(await ann.ok('image', 'show', '--names-only'), /^recipe$/m);
});

test('node sets mean the nodes of who asks', async () => {
  await ann.ok('node', 'create', 'set-ann');
  await bob.ok('node', 'create', 'set-bob');
  await bob.ok('node', 'create', 'set-free');
  await bob.ok('node', 'release', 'set-free');
  const rebooted = await bob.json<{ nodes: string[] }>('node', 'reboot', 'my-nodes,free-nodes');
  assert.ok(rebooted.nodes.includes('set-bob') && rebooted.nodes.includes('set-free'));
  assert.ok(!rebooted.nodes.includes('set-ann'));
});

test('a socket, and a server, of another user are not believed', async () => {
  const folder = join(platform.folder, 'trap');
  await mkdir(folder, { mode: 0o755 });
  const socket = join(folder, 'walt.sock');
  const trap = createServer().listen(socket);
  await once(trap, 'listening');
  let asked = 0;
  trap.on('connection', () => asked++);
  const uidOf = async (user: string) => Number(await run(['id', '-u', user]));
  try {
    await chmod(socket, 0o666);
    await chown(socket, await uidOf('games'), 0);
    const of = async (client: Client) =>
      client.run([client.launcher, 'node', 'show'], { env: { WALT_SOCKET: socket } });
    const { status, stderr } = await of(ann);
    assert.equal(status, 1);
    assert.match(stderr, /is not trusted/);
    await chown(socket, 0, 0);
    await chown(folder, await uidOf('games'), 0);
    assert.match((await of(ann)).stderr, /is not trusted/);
    assert.equal(asked, 0);
  } finally {
    trap.close();
  }
});

test('names that mean something else are given to no node', async () => {
  for (const name of ['walt-node-2', 'server', 'b8-27-eb-00-00-01', 'my-nodes']) {
    const { status, stderr } = await ann.walt('node', 'create', name);
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`${name}.*must be another name`));
  }
});
