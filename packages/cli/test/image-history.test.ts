import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { before, beforeEach, describe, test } from 'node:test';
import { pack } from 'tar-stream';
import type { ImageRecord } from '../../server/src/images/index.ts';
import { openClient } from './client.ts';

const { server, checkout } = await openClient();
const { images } = server.platform;

const OLD = { 'etc/motd': 'a\n', 'a\n\u001b[31m': 'removed' };
const NEW = { 'etc/motd': `${'b\n'.repeat(1000)}`, 'opt/': '' };

/** Two versions of an image that two nodes run, of which the first one runs the newer version. */
async function furnish() {
  await server.clear();
  await server.addImage('waltplatform/pc-x86-64-default');
  await server.addImage('bob/x');
  const older = await server.addTree('alice/debian', OLD);
  await server.addNode('vnode2');
  const newer = await server.addTree('alice/debian', NEW);
  await server.addNode('vnode1');
  return { older, newer };
}

async function addLayer(image: ImageRecord, path: string) {
  const tar = pack();
  tar.entry({ name: 'added' }, 'x');
  tar.finalize();
  await images.writeFiles('alice', image, path, Readable.from(tar));
}

const digit = (number: number) => number.toString(16).padStart(64, '0');
const inputOf = (wanted: string) => server.calls.find(([name]) => name === wanted)?.[1];

test('image log tells versions, what is no longer kept, and nothing to the terminal', async () => {
  await server.clear();
  const given = { user: 'alice', action: 'cp', detail: '/etc/\u001b[2Jx' } as const;
  const older = await server.addImage('bob/x', {
    digest: `sha256:${digit(1)}`,
    layers: [`sha256:${digit(11)}`],
  });
  const newer = { ...older, digest: `sha256:${digit(2)}`, layers: [`sha256:${digit(12)}`] };
  const debian = { owner: 'alice', name: 'debian' };
  await server.catalogue.point(debian, older, 'absent', given);
  await server.catalogue.remove(debian, 'alice');
  await server.catalogue.noteLayers([{ diffId: `sha256:${digit(12)}`, size: 2_500_000, volume: null }]);
  await server.catalogue.point(debian, newer, 'absent', { user: 'alice', action: 'shell' });
  await server.platform.database.deleteFrom('image').where('owner', '=', 'bob').execute();
  await server.platform.database.deleteFrom('image_digest').where('digest', '=', older.digest).execute();
  const { status, stdout } = await checkout.run(['image', 'log', 'debian']);
  assert.equal(status, 0);
  assert.match(
    stdout,
    /^VERSION +WHEN +WHO +ADDED +DIGEST +WHAT\n@\{0\} +\d{4}-\S+ \S+ +alice +2\.5 MB +sha256:0+ +shell$/m,
  );
  assert.match(stdout, /^- .* - +remove$/m);
  assert.match(stdout, /^@\{1\} .* sha256:\w+ † +cp \/etc\/\\x1b\[2Jx$/m);
  assert.match(stdout, /† It is no longer kept\.$/m);
  assert.deepEqual(
    JSON.parse((await checkout.run(['image', 'log', 'debian', '--json'])).stdout),
    await images.history.log(debian),
  );
});

describe('image diff', () => {
  before(furnish);

  const cases: [words: string[], input: object, output: RegExp][] = [
    [
      ['debian'],
      { image: 'debian', paths: [], contents: false },
      /^D \/a\\x0a\\x1b\[31m\nM \/etc\/motd\nA \/opt\n$/,
    ],
    [
      ['debian@{1}', 'debian', '/etc', '/opt'],
      { image: 'debian@{1}', other: 'debian', paths: ['/etc', '/opt'], contents: true },
      /^M \/etc\/motd\n--- a\/etc\/motd\n\+\+\+ b\/etc\/motd\n@@ -1 \+1,1000 @@\n-a\n\+b\n\+b\n[\s\S]*\nA \/opt\n/,
    ],
    [['debian', '/etc'], { image: 'debian', paths: ['/etc'], contents: true }, /^-a$/m],
    [['debian', '--patch'], { image: 'debian', paths: [], contents: true }, /^\+b$/m],
    [
      ['debian', '/etc', '/opt', '--stat'],
      { image: 'debian', paths: ['/etc', '/opt'], contents: true },
      /BEFORE +AFTER +LINES +PATH\nM +2 B +2 kB +\+1000 -1 +\/etc\/motd\nA +\/opt\/\n\n1 added \(0 B\), 1 changed \(2 kB\), none deleted\n$/,
    ],
  ];
  for (const [words, input, output] of cases) {
    test(words.join(' '), async () => {
      server.calls.length = 0;
      const { status, stdout, stderr } = await checkout.run(['image', 'diff', ...words]);
      assert.equal(status, 0, stderr);
      assert.match(stdout, output);
      assert.deepEqual(inputOf('image.diff'), input);
    });
  }

  test('says so when nothing differs', async () => {
    const { stdout, stderr } = await checkout.run(['image', 'diff', 'debian', 'debian']);
    assert.deepEqual([stdout, stderr.split('\n').at(-2)], ['', 'Nothing differs.']);
  });

  test('a patch on a terminal cannot steer it', async () => {
    await server.addTree('alice/steers', { 'etc/motd': '\u001b]0;x\u0007\n' });
    const words = ['image', 'diff', 'debian', 'steers', '--patch', '/etc'];
    using pty = checkout.terminal(words, { env: { NO_COLOR: '1' } });
    await pty.expect(/\+\\x1b\]0;x\\x07/);
    assert.equal(await pty.exited, 0);
  });
});

describe('what moves a name', () => {
  let older: ImageRecord;
  let newer: ImageRecord;
  beforeEach(async () => {
    ({ older, newer } = await furnish());
  });

  test('image undo tells what was taken back, and which nodes run another version', async () => {
    const { status, stdout, stderr } = await checkout.run(['image', 'undo', 'debian']);
    assert.equal(status, 0);
    assert.match(stdout, /^alice\/debian is sha256:\w{12} again\.\nTaken back: import, by alice, \d{4}-/);
    assert.match(stderr, /vnode1 still runs another version: `walt node reboot vnode1`/);
    assert.equal((await images.get('alice', 'debian')).digest, older.digest);
  });

  test('image tag names a version, and asks before it replaces one', async () => {
    const words = ['image', 'tag', 'debian@{1}', 'debian'];
    const refused = await checkout.run(words);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /debian already.*--yes/s);
    assert.equal((await images.get('alice', 'debian')).digest, newer.digest);
    const { stdout } = await checkout.run([...words, '--yes']);
    assert.match(stdout, /^debian is debian@\{1\} now \(sha256:\w{12}\)\.$/m);
    assert.equal((await images.get('alice', 'debian')).digest, older.digest);
  });

  test('image squash tells which nodes still run the layers, and leaves an image of one layer alone', async () => {
    await addLayer(newer, '/etc');
    const other = await checkout.run(['image', 'squash', 'debian', 'small', '--json']);
    const { digest } = await images.get('alice', 'small');
    assert.deepEqual(JSON.parse(other.stdout), {
      ...{ image: 'alice/small', digest, changed: true, nodes: [] },
    });
    assert.deepEqual(inputOf('image.squash'), { image: 'debian', newName: 'small', yes: false });
    const own = await checkout.run(['image', 'squash', 'debian']);
    assert.equal(own.status, 0, own.stderr);
    assert.match(own.stdout, /^alice\/debian has one layer now \(sha256:\w{12}\)\.\n/);
    assert.match(own.stderr, /vnode1 and vnode2 still run the older version/);
    const flat = await checkout.run(['image', 'squash', 'debian', 'flat']);
    assert.match(flat.stdout, /^debian has one layer already\.\n/);
  });

  test('image remove tells how it comes back, and how its space is freed', async () => {
    await server.addTree('alice/tools', { file: 'x'.repeat(100_000) });
    const { stdout } = await checkout.run(['image', 'remove', 'tools']);
    assert.match(
      stdout,
      /is removed\.\nFor 7 days, `walt image undo tools` brings it back\. It takes \S+ \wB of disk/,
    );
    assert.match(stdout, /^`walt image prune tools` frees them now\.$/m);
    await checkout.run(['image', 'undo', 'tools']);
    assert.ok(await images.find('alice', 'tools'));
  });

  test('image show NAME tells layers, sizes and nodes', async () => {
    await addLayer(newer, '/etc/\u001b[31mx');
    await server.addNode('vnode3');
    const { stdout } = await checkout.run(['image', 'show', 'debian']);
    assert.match(stdout, /^on disk +\S+ kB, of which 0 B shared with other images$/m);
    assert.match(stdout, /^run by +vnode3$/m);
    assert.match(stdout, /^next boot +vnode1 and vnode2: another version runs there$/m);
    assert.match(stdout, /^sha256:\w{12} .* cp \/etc\/\\x1b\[31mx by alice, \d{4}-/m);
    const json = JSON.parse((await checkout.run(['image', 'show', 'debian', '--json'])).stdout);
    assert.deepEqual([json.fullName, json.layers, json.stack.length], ['alice/debian', 2, 2]);
    const wrong = await checkout.run(['image', 'show', 'debian', '--all']);
    assert.deepEqual([wrong.status, wrong.stderr.includes('--all')], [2, true]);
  });
});

describe('image prune', () => {
  /** Sixteen versions of ten days ago, of which ten are kept beside the newest one. */
  beforeEach(async () => {
    await server.clear();
    for (let version = 0; version < 16; version++) {
      const layer = `sha256:${digit(100 + version)}`;
      await server.catalogue.noteLayers([{ diffId: layer, size: 1_000_000, volume: null }]);
      await server.addImage('alice/debian', { digest: `sha256:${digit(version + 1)}`, layers: [layer] });
    }
    const { database } = server.platform;
    await database
      .updateTable('image_history')
      .set({ at: Math.floor(Date.now() / 1000) - 864_000 })
      .execute();
  });

  test('removes, or only tells', async () => {
    const dry = await checkout.run(['image', 'prune', '--dry-run']);
    assert.deepEqual(inputOf('image.prune'), { dryRun: true, yes: false });
    assert.match(dry.stdout, /^DIGEST +WAS +UNTIL +SIZE\nsha256:\w+ +alice\/debian +\d{4}-\S+ \S+ +1 MB\n/);
    assert.match(
      dry.stdout,
      /^5 versions go: 5 MB on the server's disk\.\nKept of each image: 10 older .* 7 days\.\n`walt image prune IMAGE` frees/m,
    );
    const { stdout } = await checkout.run(['image', 'prune']);
    assert.match(stdout, /^5 versions are removed: 5 MB/m);
    assert.equal((await server.catalogue.digests()).length, 11);
  });

  test('IMAGE gives up its versions, if the user agrees', async () => {
    const refused = await checkout.run(['image', 'prune', 'debian']);
    assert.equal(refused.status, 1);
    assert.match(refused.stderr, /10 versions .* for good.*--yes/s);
    server.calls.length = 0;
    const { stdout } = await checkout.run(['image', 'prune', 'debian', '--yes']);
    assert.deepEqual(inputOf('image.prune'), { image: 'debian', dryRun: false, yes: true });
    assert.match(stdout, /^15 versions are removed: 15 MB/m);
    assert.equal((await server.catalogue.digests()).length, 1);
  });
});
