import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import type { ImageChange, ImageStep } from '@walt/contract';
import { openFakeClient } from './client.ts';
import { fakeDigest, makeImage } from './fixtures.ts';

const { server, checkout } = await openFakeClient();

const step: ImageStep = {
  ...{ version: 0, digest: fakeDigest, at: 1_790_000_000, user: 'alice', action: 'shell', detail: '' },
  ...{ added: 2_500_000, kept: true },
};
const changed: ImageChange = {
  ...{ kind: 'M', path: '/etc/motd', type: 'file', before: 10, after: 2000 },
  ...{
    lines: { added: 2, removed: 1 },
    patch: '--- a/etc/motd\n+++ b/etc/motd\n@@ -1 +1,2 @@\n-a\n+b\n+c\n',
  },
};

beforeEach(() => {
  const { world } = server;
  world.calls.length = 0;
  world.confirm.clear();
  world.images = [makeImage('alice', 'debian', { nodes: ['vnode1', 'vnode2'] }), makeImage('bob', 'x')];
  world.steps = [
    step,
    { ...step, version: null, digest: null, action: 'remove', added: 0, kept: false },
    { ...step, version: 1, action: 'cp', detail: '/etc/\u001b[2Jx', added: null, kept: false },
  ];
  world.changes = [
    changed,
    {
      ...changed,
      kind: 'A',
      path: '/opt',
      type: 'folder',
      before: null,
      after: null,
      lines: null,
      patch: null,
    },
    { ...changed, kind: 'D', path: '/a\n\u001b[31m', before: 7, after: null, lines: null, patch: null },
  ];
});

const inputOf = (wanted: string) => server.world.calls.find(([name]) => name === wanted)?.[1];

test('image log tells versions, what is no longer kept, and nothing to the terminal', async () => {
  const { status, stdout } = await checkout.run(['image', 'log', 'debian']);
  assert.equal(status, 0);
  assert.match(
    stdout,
    /^VERSION +WHEN +WHO +ADDED +DIGEST +WHAT\n@\{0\} +2026-\S+ \S+ +alice +2\.5 MB +sha256:ab\w+ +shell$/m,
  );
  assert.match(stdout, /^- .* - +remove$/m);
  assert.match(stdout, /^@\{1\} .* \? +sha256:\w+ † +cp \/etc\/\\x1b\[2Jx$/m);
  assert.match(stdout, /† It is no longer kept\.$/m);
  assert.deepEqual(
    JSON.parse((await checkout.run(['image', 'log', 'debian', '--json'])).stdout),
    server.world.steps,
  );
});

describe('image diff', () => {
  const cases: [words: string[], input: object, output: RegExp][] = [
    [
      ['debian'],
      { image: 'debian', paths: [], contents: false },
      /^M \/etc\/motd\nA \/opt\nD \/a\\x0a\\x1b\[31m\n$/,
    ],
    [
      ['debian@{2}', 'bob/x', '/etc', '/opt'],
      { image: 'debian@{2}', other: 'bob/x', paths: ['/etc', '/opt'], contents: true },
      /^M \/etc\/motd\n--- a\/etc\/motd\n\+\+\+ b\/etc\/motd\n@@ -1 \+1,2 @@\n-a\n\+b\n\+c\nA \/opt\n/,
    ],
    [['debian', '/etc'], { image: 'debian', paths: ['/etc'], contents: true }, /^-a$/m],
    [['debian', '--patch'], { image: 'debian', paths: [], contents: true }, /^\+b$/m],
    [
      ['debian', '/etc', '--stat'],
      { image: 'debian', paths: ['/etc'], contents: true },
      /BEFORE +AFTER +LINES +PATH\nM +10 B +2 kB +\+2 -1 +\/etc\/motd\nA +\/opt\/\nD +7 B +\/a\\x0a\S+\n\n1 added \(0 B\), 1 changed \(2 kB\), 1 deleted \(7 B\)\n$/,
    ],
  ];
  for (const [words, input, output] of cases) {
    test(words.join(' '), async () => {
      const { status, stdout } = await checkout.run(['image', 'diff', ...words]);
      assert.equal(status, 0);
      assert.match(stdout, output);
      assert.deepEqual(inputOf('image.diff'), input);
    });
  }

  test('says so when nothing differs', async () => {
    server.world.changes = [];
    const { stdout, stderr } = await checkout.run(['image', 'diff', 'debian']);
    assert.deepEqual([stdout, stderr.split('\n').at(-2)], ['', 'Nothing differs.']);
  });

  test('a patch on a terminal cannot steer it', async () => {
    server.world.changes = [{ ...changed, patch: '--- a\n+++ b\n@@ -1 +1 @@\n+\u001b]0;x\u0007\n' }];
    using pty = checkout.terminal(['image', 'diff', 'debian', '--patch'], { env: { NO_COLOR: '1' } });
    await pty.expect(/\+\\x1b\]0;x\\x07/);
    assert.equal(await pty.exited, 0);
  });
});

test('image undo tells what was taken back, and which nodes run another version', async () => {
  const { status, stdout, stderr } = await checkout.run(['image', 'undo', 'debian']);
  assert.equal(status, 0);
  assert.match(stdout, /^alice\/debian is sha256:\w{12} again\.\nTaken back: shell, by alice, 2026-/);
  assert.match(stderr, /vnode1 and vnode2 still run another version: `walt node reboot vnode1,vnode2`/);
});

test('image tag names a version, and asks before it replaces one', async () => {
  const words = ['image', 'tag', 'debian@{1}', 'debian'];
  server.world.confirm.set('image.duplicate', 'You have an image debian already; it would be replaced.');
  const refused = await checkout.run(words);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /debian already.*--yes/s);
  const { stdout } = await checkout.run([...words, '--yes']);
  assert.match(stdout, /^debian is debian@\{1\} now \(sha256:\w{12}\)\.$/m);
});

test('image squash tells which nodes still run the layers, and leaves an image of one layer alone', async () => {
  const own = await checkout.run(['image', 'squash', 'debian']);
  assert.equal(own.status, 0, own.stderr);
  assert.match(own.stdout, /^alice\/debian has one layer now \(sha256:\w{12}\)\.\n/);
  assert.match(own.stderr, /Reading the image.*vnode1 and vnode2 still run the older version/s);
  server.world.calls.length = 0;
  const other = await checkout.run(['image', 'squash', 'debian', 'small', '--json']);
  assert.deepEqual(JSON.parse(other.stdout), {
    ...{ image: 'alice/small', digest: fakeDigest, changed: true, nodes: [] },
  });
  assert.deepEqual(inputOf('image.squash'), { image: 'debian', newName: 'small', yes: false });
  const flat = await checkout.run(['image', 'squash', 'debian', 'flat']);
  assert.match(flat.stdout, /^debian has one layer already\.\n/);
});

test('image prune removes, or only tells', async () => {
  const dry = await checkout.run(['image', 'prune', '--dry-run']);
  assert.deepEqual(inputOf('image.prune'), { dryRun: true, yes: false });
  assert.match(dry.stdout, /^DIGEST +WAS +UNTIL +SIZE\nsha256:\w+ +alice\/debian +2026-\S+ \S+ +5 MB\n/);
  assert.match(
    dry.stdout,
    /^2 versions go: 5 MB on the server's disk\.\nKept of each image: 10 older .* 7 days\.\n`walt image prune IMAGE` frees/m,
  );
  const { stdout } = await checkout.run(['image', 'prune']);
  assert.match(stdout, /^1 version is removed: 5 MB/m);
});

test('image prune IMAGE gives up its versions, if the user agrees', async () => {
  server.world.confirm.set(
    'image.prune',
    '2 versions of image alice/debian would go for good (5 MB on disk).',
  );
  const refused = await checkout.run(['image', 'prune', 'debian']);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /2 versions .* for good.*--yes/s);
  server.world.calls.length = 0;
  const { stdout } = await checkout.run(['image', 'prune', 'debian', '--yes']);
  assert.deepEqual(inputOf('image.prune'), { image: 'debian', dryRun: false, yes: true });
  assert.match(stdout, /^1 version is removed: 5 MB/m);
});

test('image remove tells how it comes back, and how its space is freed', async () => {
  const { stdout } = await checkout.run(['image', 'remove', 'debian']);
  assert.match(
    stdout,
    /is removed\.\nFor 7 days, `walt image undo debian` brings it back\. It takes \S+ \wB of disk/,
  );
  assert.match(stdout, /^`walt image prune debian` frees them now\.$/m);
});

test('image show NAME tells layers, sizes and nodes', async () => {
  const { stdout } = await checkout.run(['image', 'show', 'debian']);
  assert.match(stdout, /^on disk +500 MB, of which 400 MB shared with other images$/m);
  assert.match(stdout, /^run by +vnode1$/m);
  assert.match(stdout, /^next boot +vnode2: another version runs there$/m);
  assert.match(stdout, /^sha256:\w{12} +1 MB +\? +no +cp \/etc\/\\x1b\[31mx by alice, 2026-/m);
  const json = JSON.parse((await checkout.run(['image', 'show', 'debian', '--json'])).stdout);
  assert.deepEqual(
    [json.fullName, json.layers, json.stack.length, json.disk],
    ['alice/debian', 2, 2, 500_000_000],
  );
  const wrong = await checkout.run(['image', 'show', 'debian', '--all']);
  assert.deepEqual([wrong.status, wrong.stderr.includes('--all')], [2, true]);
});
