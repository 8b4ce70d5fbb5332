/** Versions of images in a real store. */
import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ImageChange } from '@walt/contract';
import { closePlatform, reopenPlatform, result, usePlatform } from '../../../test/platform.ts';
import { openDatabase, run } from '../../platform/index.ts';
import { serverTables } from '../../tables.ts';
import { volumeName } from '../layers/index.ts';
import type { ImageRecord } from '../types.ts';

const retention = { versions: 1, days: 0 };
const { platform, tiny } = await usePlatform({ retention });

/** Runs a line of shell in the image, and saves what it changed. */
async function change(name: string, line: string): Promise<ImageRecord> {
  const image = await platform.images.get('ann', name);
  const command = await platform.images.run('ann', image, ['/bin/sh', '-c', line]);
  try {
    command.stdin.end();
    command.stdout.resume();
    command.stderr.resume();
    assert.equal(await command.exited, 0, line);
    return (await command.save({ owner: 'ann', name }, { digest: image.digest })).image;
  } finally {
    await command.end();
  }
}

function copy(name: string): Promise<ImageRecord> {
  return platform.images.duplicate('ann', tiny, { owner: 'ann', name }, false);
}

async function differ(
  from: ImageRecord,
  to: ImageRecord,
  options: { paths?: string[]; contents?: boolean } = {},
): Promise<ImageChange[]> {
  return result(
    platform.images.history.diff(from, to, { user: 'ann', paths: [], contents: false, ...options }),
  );
}

function brief(changes: readonly ImageChange[]): string[] {
  return changes.map(({ kind, path }) => `${kind} ${path}`);
}

async function stored(record: ImageRecord): Promise<boolean> {
  return (await readdir(platform.paths.volumes)).includes(volumeName(record.layers.at(-1) ?? ''));
}

test('tells what differs, both ways, and looks at what is asked for only', async () => {
  const old = await copy('differ');
  const now = await change(
    'differ',
    `echo more >>/etc/greeting; chmod 600 /etc/passwd; rm -r /home/ann; mkdir /opt; echo new >/opt/file
    ln -s /etc/passwd /opt/link; echo >/etc/touched; rm /usr/share/mark; mkdir /usr/share/mark; echo x >/usr/share/mark/x`,
  );
  assert.deepEqual(brief(await differ(old, now)), [
    'M /etc/greeting',
    'M /etc/passwd',
    'A /etc/touched',
    'D /home/ann',
    'D /home/ann/notes',
    'A /opt',
    'A /opt/file',
    'A /opt/link',
    'M /usr/share/mark',
    'A /usr/share/mark/x',
  ]);
  assert.deepEqual(brief(await differ(now, old, { paths: ['/opt/', '/home/ann/notes'] })), [
    'A /home/ann/notes',
    'D /opt',
    'D /opt/file',
    'D /opt/link',
  ]);
  assert.deepEqual(brief(await differ(now, old, { paths: ['/opt/link', '/etc/greet'] })), ['D /opt/link']);
  assert.deepEqual(await differ(now, now), []);
  const [greeting] = await differ(old, now, { paths: ['/etc/greeting'], contents: true });
  assert.deepEqual(
    { ...greeting },
    {
      ...{ kind: 'M', path: '/etc/greeting', type: 'file', before: 6, after: 11 },
      lines: { added: 1, removed: 0 },
      patch: '--- a/etc/greeting\n+++ b/etc/greeting\n@@ -1 +1,2 @@\n hello\n+more\n',
    },
  );
});

test('a file that was written anew with the same content does not differ', async () => {
  const old = await copy('same');
  const now = await change(
    'same',
    'cat /etc/greeting >/tmp/g; cat /tmp/g >/etc/greeting; rm /tmp/g; echo >/tmp/x',
  );
  assert.deepEqual(brief(await differ(old, now)), ['A /tmp/x']);
  const hollow = await change('same', "rm -r /etc; mkdir /etc; printf 'hello\\n' >/etc/greeting");
  assert.deepEqual(brief(await differ(now, hollow)), ['D /etc/passwd']);
});

test('a link in the place of a folder leads nowhere out of the image', async () => {
  const root = join(platform.folder, 'hostile');
  const tarOf = async () => {
    const tar = join(platform.folder, 'hostile.tar');
    await run(['tar', '--xattrs', '--numeric-owner', '-C', root, '-cf', tar, '.']);
    return tar;
  };
  const add = async (name: string) =>
    result(
      platform.images.importTar(
        'ann',
        { tar: await tarOf(), architecture: 'amd64' },
        { owner: 'ann', name },
        false,
      ),
    );
  await mkdir(join(root, 'etc'), { recursive: true });
  await writeFile(join(root, 'etc/hostname'), 'of the image\n');
  await writeFile(join(root, 'etc/shadow'), 'secret\n');
  await writeFile(Buffer.concat([Buffer.from(`${root}/etc/`), Buffer.of(0xff, 0x0a, 0x62)]), 'a\n');
  await writeFile(join(root, 'etc/binary'), Buffer.of(1, 0, 2));
  await writeFile(join(root, 'etc/capable'), '');
  await writeFile(join(root, 'etc/latin1'), Buffer.of(0x63, 0x61, 0x66, 0xe9, 0x0a));
  const folder = await add('hostile1');
  await rm(join(root, 'etc/shadow'));
  await symlink('/etc/shadow', join(root, 'etc/shadow'));
  await writeFile(Buffer.concat([Buffer.from(`${root}/etc/`), Buffer.of(0xff, 0x0a, 0x62)]), 'b\n');
  await writeFile(join(root, 'etc/binary'), Buffer.of(1, 0, 3));
  await writeFile(join(root, 'etc/latin1'), Buffer.of(0x63, 0x61, 0x66, 0xe8, 0x0a));
  await run(['setfattr', '-n', 'user.walt', '-v', 'x', join(root, 'etc/capable')]);
  await chmod(join(root, 'etc/hostname'), 0o4755);
  const changed = await add('hostile2');
  const details = await differ(folder, changed, { contents: true });
  assert.deepEqual(
    details.map(({ kind, path, type, patch }) => [kind, path, type, patch?.split('\n').slice(3) ?? null]),
    [
      ['M', '/etc/binary', 'file', null],
      ['M', '/etc/capable', 'file', null],
      ['M', '/etc/hostname', 'file', null],
      ['M', '/etc/latin1', 'file', ['-caf\uFFFD', '+caf\uFFFD', '']],
      ['M', '/etc/shadow', 'link', ['-secret', '']],
      ['M', '/etc/\uFFFD\nb', 'file', ['-a', '+b', '']],
    ],
  );
  assert.equal(details.at(-1)?.patch?.split('\n')[0], '--- a/etc/\uFFFD\uFFFDb');

  await rm(join(root, 'etc'), { recursive: true });
  await symlink('/etc', join(root, 'etc'));
  const linked = await add('hostile3');
  assert.deepEqual(brief(await differ(folder, linked, { paths: ['/etc'] })), [
    'M /etc',
    'D /etc/binary',
    'D /etc/capable',
    'D /etc/hostname',
    'D /etc/latin1',
    'D /etc/shadow',
    'D /etc/\uFFFD\nb',
  ]);
  await rm(root, { recursive: true });
});

test('an undo goes back, a second one forth; a removed image comes back', async () => {
  const { history } = platform.images;
  const image = { owner: 'ann', name: 'undone' };
  await assert.rejects(history.undo('ann', image), { code: 'NOT_FOUND' });
  const old = await copy('undone');
  await assert.rejects(history.undo('ann', image), { code: 'NOT_FOUND', message: /one version/ });
  const now = await change('undone', 'echo >/tmp/x');
  await platform.images.rename('ann', now, 'renamed');
  const renamed = { ...image, name: 'renamed' };

  const back = await history.undo('ann', renamed);
  assert.deepEqual([back.image.digest, back.previous, back.undone.action], [old.digest, now.digest, 'run']);
  assert.equal((await history.undo('ann', renamed)).image.digest, now.digest);
  await platform.images.remove('ann', { ...now, ...renamed });
  const restored = await history.undo('ann', renamed);
  assert.deepEqual([restored.previous, restored.undone.action], [null, 'remove']);
  assert.equal((await platform.images.get('ann', 'renamed')).digest, now.digest);

  const log = await history.log(renamed);
  assert.deepEqual(
    log.map(({ version, action, detail }) => [version, action, detail]),
    [
      [0, 'undo', 'remove'],
      [null, 'remove', ''],
      [0, 'undo', `undo run ann/undone`],
      [1, 'undo', 'run ann/undone'],
      [2, 'rename', 'undone → renamed'],
      [2, 'run', 'ann/undone'],
      [3, 'duplicate', `ann/tiny@${tiny.digest.slice(0, 19)}`],
    ],
  );
  assert.deepEqual(await history.log(image), []);
});

test('versions are named by number and by digest', async () => {
  const { history } = platform.images;
  const old = await copy('named');
  const now = await change('named', 'echo >/tmp/x');
  const image = { owner: 'ann', name: 'named' };
  assert.deepEqual(await history.version(image, { back: 1 }), old);
  assert.deepEqual(await history.version(image, { digest: now.digest.slice(0, 14) }), now);
  assert.deepEqual(await history.before(now), old);
  await assert.rejects(history.before(old), { code: 'NOT_FOUND' });
  await assert.rejects(history.version(image, { back: 2 }), {
    code: 'NOT_FOUND',
    message: /@\{0\} to @\{1\}/,
  });
  await assert.rejects(history.version(image, { digest: `sha256:${'0'.repeat(64)}` }), { code: 'NOT_FOUND' });
  const other = await history.version({ owner: 'ann', name: 'tiny' }, { back: 0 });
  assert.equal(other.digest, old.digest);
});

test('layers tell their size, what made them and whether others share them', async () => {
  const { history } = platform.images;
  await copy('layered');
  const now = await change('layered', 'dd if=/dev/urandom of=/tmp/x bs=1000 count=100');
  const [top, bottom] = await history.layers(now);
  assert.deepEqual([top?.shared, bottom?.shared], [false, true]);
  assert.deepEqual([top?.made?.action, bottom?.made?.action], ['run', 'import']);
  assert.ok(top?.size && top.size > 100_000 && top.size < 200_000, String(top?.size));
  assert.ok(top.volume && top.volume > 100_000);
  assert.ok(bottom?.size && bottom.size > 1_000_000);
  const [step] = await history.log({ owner: 'ann', name: 'layered' });
  assert.equal(step?.added, top.size);

  await platform.database.updateTable('image_layer').set({ size: null, volume: null }).execute();
  await closePlatform(platform);
  await reopenPlatform(platform);
  // It measures in the background; the end of that is the end of the server.
  await closePlatform(platform);
  await reopenPlatform(platform);
  assert.equal((await platform.images.history.layers(now))[0]?.size, top.size, 'it was measured again');
});

test('what history keeps stays, older versions go, and a dry run tells before', async () => {
  const { images } = platform;
  await images.collect(new Set(), 0);
  const first = await copy('pruned');
  const second = await change('pruned', 'dd if=/dev/urandom of=/tmp/x bs=1000 count=100');
  const third = await change('pruned', 'echo >/tmp/y');
  const fourth = await change('pruned', 'echo >/tmp/z');
  assert.deepEqual((await images.history.needless()).removed, [], 'a node may be about to boot it');
  const planned = await images.history.needless(undefined, 0);
  assert.deepEqual(
    planned.removed.map(({ digest, image }) => [digest, image]),
    [[second.digest, 'ann/pruned']],
  );
  // Its layer is needed by the later versions.
  assert.equal(planned.size, 0);
  assert.deepEqual(await result(images.history.prune(undefined, 0)), planned);
  assert.deepEqual((await images.history.needless(undefined, 0)).removed, []);
  const log = await images.history.log(fourth);
  assert.deepEqual(
    log.map(({ kept }) => kept),
    [true, true, false, true],
  );
  await assert.rejects(images.history.version(fourth, { back: 2 }), {
    code: 'NOT_FOUND',
    message: /no longer/,
  });
  assert.deepEqual(await images.history.version(fourth, { back: 3 }), { ...first, name: 'pruned' });
  assert.deepEqual(brief(await differ(third, fourth)), ['A /tmp/z']);
  await assert.rejects(images.duplicate('ann', second, { owner: 'ann', name: 'late' }, false), {
    code: 'NOT_FOUND',
  });

  await images.remove('ann', fourth);
  const removal = await images.history.needless(undefined, 0);
  assert.deepEqual(removal.removed.map(({ digest }) => digest).sort(), [third.digest, fourth.digest].sort());
  assert.ok(removal.size > 200_000, String(removal.size));
  assert.deepEqual((await images.history.needless()).removed, [], 'it left its name a moment ago');
  const given = await result(images.history.prune({ owner: 'ann', name: 'pruned' }));
  assert.deepEqual([given.removed.length, given.size], [2, removal.size], 'given up, it goes at once');
  assert.deepEqual([await stored(fourth), await stored(tiny)], [false, true]);
  await assert.rejects(images.history.undo('ann', fourth), { code: 'NOT_FOUND', message: /no longer kept/ });
});

test('after each change, what is no longer kept goes by itself', async () => {
  await copy('aged');
  const second = await change('aged', 'echo >/tmp/x');
  const third = await change('aged', 'echo >/tmp/y');
  await platform.database.updateTable('image_history').set({ at: 1 }).execute();
  await change('aged', 'echo >/tmp/z');
  // Its end waits for what it does in the background.
  await closePlatform(platform);
  const database = await openDatabase(platform.paths.database, serverTables);
  const rows = await database.selectFrom('image_digest').select('digest').execute();
  await database.destroy();
  const left = new Set(rows.map(({ digest }) => digest));
  assert.deepEqual([left.has(second.digest), left.has(third.digest)], [false, true]);
  await reopenPlatform(platform);
});

test('a comparison ends when nobody waits for it any more', async () => {
  const old = await copy('left');
  const now = await change('left', 'echo >/tmp/x');
  const signal = AbortSignal.abort(new Error('gone'));
  const options = { user: 'ann', paths: [], contents: true, signal };
  await assert.rejects(result(platform.images.history.diff(old, now, options)), { message: 'gone' });
});

test('a version whose name moves meanwhile stays while it is compared', async () => {
  const old = await copy('compared');
  const now = await change('compared', 'echo >/tmp/x');
  const seen = await platform.images.history.whileKept([now], async () => {
    await platform.images.duplicate('ann', tiny, { owner: 'ann', name: 'compared' }, true);
    await platform.database.deleteFrom('image_history').where('name', '=', 'compared').execute();
    await platform.images.collect(new Set(), 0);
    return differ(old, now);
  });
  assert.deepEqual(brief(seen), ['A /tmp/x']);
  await platform.images.collect(new Set(), 0);
  await assert.rejects(differ(old, now), { code: 'NOT_FOUND', message: /no longer kept/ });
});
