/** Versions of images, from end to end: log, diff, undo, tag, prune, and all about one image. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Image, ImageChange, ImageDetails, ImageStep } from '@walt/contract';
import { DEFAULT_IMAGE, type Platform } from '../platform.ts';
import { leavePlatform, usePlatform } from '../shared-platform.ts';

let platform: Platform;

before(async () => {
  platform = await usePlatform();
  const { root } = platform;
  await root.ok('image', 'duplicate', `waltplatform/${DEFAULT_IMAGE}`, 'lab');
  const change = (line: string) => root.ok('image', 'run', 'lab', '--save-as', 'lab', '--yes', line);
  await change(
    'echo one >/etc/motd; rm /etc/issue; dd if=/dev/zero of=/opt/zeros bs=1000 count=50 2>/dev/null',
  );
  await change('echo two >>/etc/motd; chmod 700 /opt');
});
after(leavePlatform);

const log = () => platform.root.json<ImageStep[]>('image', 'log', 'lab');
const digestNow = async () => (await platform.root.json<Image>('image', 'show', 'lab')).digest;

async function diff(...words: string[]): Promise<string[]> {
  const { changes } = await platform.root.json<{ changes: ImageChange[] }>('image', 'diff', ...words);
  return changes.map(({ kind, path }) => `${kind} ${path}`);
}

test('the log tells each version, and the details tell where layers come from', async () => {
  const steps = await log();
  assert.deepEqual(
    steps.map(({ version, user, action, kept }) => [version, user, action, kept]),
    [
      [0, 'root', 'run', true],
      [1, 'root', 'run', true],
      [2, 'root', 'duplicate', true],
    ],
  );
  const added = steps.map((step) => step.added ?? -1);
  assert.ok(added[2] === 0 && added[1] !== undefined && added[1] >= 50_000, String(added));
  const details = await platform.root.json<Image & ImageDetails>('image', 'show', 'lab');
  assert.deepEqual(
    details.stack.map(({ made, shared }) => [made?.action, shared]),
    [
      ['run', false],
      ['run', false],
      ['default', true],
    ],
  );
  assert.ok(details.disk > details.shared && details.shared > 100_000_000);
  assert.equal(details.versions, 2);
  assert.match(await platform.root.ok('image', 'show', 'lab'), /^on disk .* shared with other images$/m);
});

test('diff tells files, lines and sizes, also for other users and by digest', async () => {
  const { root } = platform;
  assert.deepEqual(await diff('lab'), ['M /etc/motd', 'M /opt']);
  assert.deepEqual(await diff('lab@{2}', 'lab@{1}'), ['D /etc/issue', 'M /etc/motd', 'A /opt/zeros']);
  const [, first] = await log();
  assert.deepEqual(await diff(first?.digest ? `lab@${first.digest}` : '', 'lab', '/opt'), ['M /opt']);
  assert.match(await root.ok('image', 'diff', 'lab', '/etc'), /^@@ -1 \+1,2 @@\n one\n\+two\n/m);
  assert.match(await root.ok('image', 'diff', 'lab@{2}', 'lab', '--stat'), /^A +50 kB +\/opt\/zeros$/m);
  const daemon = await platform.as('daemon');
  assert.equal(await daemon.ok('image', 'diff', 'root/lab'), 'M /etc/motd\nM /opt\n');
  const refused = await daemon.walt('image', 'undo', 'root/lab');
  assert.match(refused.stderr, /belongs to root/);
});

test('undo goes back and forth, and tells nodes that run another version', async () => {
  const { root } = platform;
  const [now, before] = await log();
  await root.ok('node', 'create', 'outdated', '--image', 'lab');
  const back = await root.walt('image', 'undo', 'lab');
  assert.equal(back.status, 0);
  assert.match(back.stdout, /^root\/lab is sha256:\w{12} again\.\nTaken back: run root\/lab, by root, /);
  assert.match(back.stderr, /outdated still runs another version/);
  assert.equal(await digestNow(), before?.digest);
  assert.equal(await root.ok('image', 'run', 'lab', 'cat', '/etc/motd'), 'one\n');
  await root.ok('image', 'undo', 'lab');
  assert.equal(await digestNow(), now?.digest);
  await root.ok('node', 'remove', 'outdated', '--yes');
});

test('a version is given a name; an image that was removed comes back', async () => {
  const { root } = platform;
  const [now] = await log();
  const refused = await root.walt('image', 'tag', 'lab@{1}', 'lab');
  assert.match(refused.stderr, /lab already.*--yes/s);
  await root.ok('image', 'tag', 'lab@{1}', 'lab', '--yes');
  assert.notEqual(await digestNow(), now?.digest);
  await root.ok('image', 'tag', `lab@${now?.digest?.slice(0, 19)}`, 'good');
  assert.deepEqual(await diff('good', 'lab'), ['M /etc/motd', 'M /opt']);
  await root.ok('image', 'remove', 'good');
  assert.match(await root.ok('image', 'log', 'good'), /remove/);
  await root.ok('image', 'undo', 'good');
  assert.deepEqual(await diff('good', 'lab'), ['M /etc/motd', 'M /opt']);
});

test('prune removes nothing that history keeps', async () => {
  const { root } = platform;
  const nothing = { removed: [], size: 0, keepVersions: 10, keepDays: 7 };
  assert.deepEqual(await root.json('image', 'prune', '--dry-run'), nothing);
  assert.deepEqual(await root.json('image', 'prune'), nothing);
  assert.equal((await log()).at(-2)?.kept, true);
});

test('bad input is named', async () => {
  const cases: [words: string[], message: RegExp][] = [
    [['log', 'nosuch'], /no image named "root\/nosuch"/],
    [['log', '$(id)'], /must look like/],
    [['diff', 'lab@{99}'], /no such version.*It has \d+ versions/s],
    [['diff', 'lab@{x}'], /must look like/],
    [['diff', `lab@sha256:${'0'.repeat(64)}`], /None begins with/],
    [['diff', 'lab', '--', '-rf'], /must look like/],
    [['diff', 'lab', 'lab@{1}', 'etc/motd'], /absolute path/],
    [['diff', 'lab', '/etc/../../etc'], /"\.\."/],
    [['undo', 'nosuch'], /no image named/],
    [['tag', 'lab@{1}', '../x;id'], /lower-case/],
    [['tag', 'lab@{99}', 'x'], /no such version/],
    [['prune', '--keep'], /Unknown option/],
    [['show', 'nosuch'], /no image named/],
  ];
  for (const [words, message] of cases) {
    const { status, stderr } = await platform.root.walt('image', ...words);
    assert.notEqual(status, 0, words.join(' '));
    assert.match(stderr, message);
  }
});
