/** Files into images and out of them: nothing of what a file is gets lost on the way, and nothing leaves the image. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { usePlatform } from '../../test/platform.ts';
import { run } from '../platform/index.ts';
import { endOfTar, padding, type TarHeader, tarHeader } from './layers/tar/index.ts';
import { Store } from './store/index.ts';
import type { ImageRecord } from './types.ts';

const { platform, tiny } = await usePlatform();
const store = await Store.open(platform.paths, (argv) => [...argv]);
/** The image that all tests change, each in a folder of its own. */
let image: ImageRecord = tiny;

async function write(path: string, tar: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<ImageRecord> {
  image = await platform.images.writeFiles('ann', image, path, Readable.from(tar));
  return image;
}

const plain: TarHeader = {
  ...{ path: 'f', type: 'file', mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 0n, target: '' },
  attributes: new Map(),
};

/** A tar whose files contain their own name. */
function tarOf(...entries: (Partial<TarHeader> & { path: string })[]): Buffer[] {
  const blocks = entries.flatMap((entry) => {
    const size = (entry.type ?? 'file') === 'file' ? entry.path.length : 0;
    const content = Buffer.from(size > 0 ? entry.path : '', 'latin1');
    return [tarHeader({ ...plain, ...entry, size }), content, padding(size)];
  });
  return [...blocks, endOfTar()];
}

/** Files of every kind that may be copied, with all that a file may have. */
const FILES = `
  mkdir -p all/sub "all/two words" all/öffne; echo 1 >all/file; ln all/file all/sub/hard; ln -s ../nowhere all/link
  printf x >"all/$(printf 'bad\\377\\nname')"; printf y >"all/öffne/-dash \\"quoted\\" \\\\n"; : >all/empty
  long=$(printf 'long%.0s' $(seq 60)); mkdir -p "all/$long/$long"; printf z >"all/$long/$long/$long"
  chown 300000000:400000000 all/file; chown -h 5:6 all/link; chown 7:8 all/sub
  chmod 4751 all/empty; chmod 1777 "all/two words"; chmod 500 all/sub; chmod 0 all/file
  setfattr -n user.binary -v 0x00ff0a3d all/file; setfattr -n trusted.note -v kept all/sub
  setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 all/empty
  setfattr -n system.posix_acl_access -v \
    0x0200000001000600ffffffff020004000500000004000400ffffffff10000400ffffffff20000400ffffffff all/öffne
  touch -h -d '2001-02-03 04:05:06.123456789' all/file all/link all/sub; touch -d '1970-01-01 00:00:00.5 UTC' all/empty
`;

const exec = promisify(execFile);

/** All that can be told of files, byte by byte. */
async function listing(folder: string): Promise<string> {
  const tell = `
    find . -printf '%P %y %m %U %G %T@ %l' ! -type d -printf ' %n %s' , -printf '\\0' | sort -z
    find . -type f -exec sha256sum -z {} + | sort -z
    find . -print0 | sort -z | xargs -0 getfattr -hdm - -e hex --`;
  const { stdout } = await exec('sh', ['-c', tell], { cwd: folder, encoding: 'latin1', maxBuffer: 1e8 });
  return stdout;
}

const inImage = <T>(use: (root: string) => Promise<T>) => store.withMounted(image.digest, use);

async function packed(folder: string, ...names: string[]): Promise<Buffer[]> {
  const options = ['--format=pax', '--xattrs', '--xattrs-include=*', '--numeric-owner'];
  const { stdout } = await exec('tar', ['-C', folder, ...options, '-cf', '-', '--', ...names], {
    ...{ encoding: 'buffer', maxBuffer: 1e9 },
  });
  return [stdout];
}

test('all that a file has goes in and comes out again', async () => {
  const source = join(platform.folder, 'source');
  await mkdir(source);
  await run(['sh', '-ec', FILES], { cwd: source });
  const told = await listing(join(source, 'all'));
  assert.match(told, /file f 0 300000000 400000000 981173106.1234567890 {2}2 2/);
  await write('/srv/anew', await packed(source, 'all')).catch(() => {});
  await assert.rejects(write('/srv/anew', await packed(source, 'all')), { code: 'NOT_FOUND' });
  const before = image.layers.length;
  await write('/home', await packed(source, 'all'));
  assert.equal(image.layers.length, before + 1);
  await inImage(async (root) => assert.equal(await listing(join(root, 'home/all')), told));

  const back = join(platform.folder, 'back');
  await mkdir(back);
  const file = join(platform.folder, 'back.tar');
  await writeFile(file, await platform.images.readFiles(image, '/home/all'));
  const options = ['--xattrs', '--xattrs-include=*', '--numeric-owner', '-p'];
  await run(['tar', '-C', back, ...options, '-xf', file]);
  assert.equal(await listing(join(back, 'all')), told);

  const same = image;
  assert.equal(
    (await write('/home', await packed(source, 'all/sub'))).digest,
    same.digest,
    'nothing changed',
  );
  await rm(source, { recursive: true });
});

test('owners are those that the archive tells, whoever the image runs as', async () => {
  await write('/tmp', tarOf({ path: 'owned', uid: 33, gid: 44 }));
  await inImage(async (root) => {
    const { uid, gid } = await stat(join(root, 'tmp/owned'));
    assert.deepEqual([uid, gid], [33, 44]);
  });
});

test('folders that are there stay as they are, and keep what is in them', async () => {
  await write(
    '/tmp',
    tarOf({ path: 'kept', type: 'folder', mode: 0o750, uid: 3, mtime: 5n }, { path: 'kept/a' }),
  );
  await write('/tmp', tarOf({ path: 'kept', type: 'folder', mode: 0o700, uid: 4 }, { path: 'kept/b' }));
  await write('/tmp/kept', tarOf({ path: './', type: 'folder', mode: 0o711 }, { path: './c' }));
  await inImage(async (root) => {
    const { mode, uid, mtimeMs } = await stat(join(root, 'tmp/kept'));
    assert.deepEqual([mode & 0o7777, uid, mtimeMs < 1], [0o750, 3, true]);
    assert.deepEqual((await readdir(join(root, 'tmp/kept'))).sort(), ['a', 'b', 'c']);
    assert.equal((await stat(root)).mode & 0o7777, 0o555);
  });
});

test('an image is mounted so that nobody can change it: what was found in it stays there', async () => {
  await inImage(async (root) => {
    await assert.rejects(writeFile(join(root, 'new'), ''), { code: 'EROFS' });
    await assert.rejects(writeFile(join(root, 'etc/greeting'), ''), { code: 'EROFS' });
  });
});

test('links on the way are followed inside the image; what is at the end of one is replaced there', async () => {
  await write(
    '/tmp',
    tarOf(
      ...[{ path: 'real', type: 'folder' as const }, { path: 'real/f' }],
      { path: 'way', type: 'link', target: '/tmp/real' },
      { path: 'file', type: 'link', target: '../tmp/way/f' },
      { path: 'root', type: 'link', target: '/../../..' },
      { path: 'lost', type: 'link', target: '/nowhere/at/all' },
      { path: 'circle', type: 'link', target: 'circle' },
    ),
  );
  const kinds = [
    '/tmp/way',
    '/tmp/file',
    '/tmp/root',
    '/tmp/lost',
    '/tmp/none',
    '/tmp/file/x',
    '/etc/../tmp/way/f',
  ];
  const found = await Promise.all(kinds.map((path) => platform.images.kindOfFile(image, path)));
  assert.deepEqual(found, ['folder', 'file', 'folder', 'other', undefined, undefined, 'file']);
  await assert.rejects(platform.images.kindOfFile(image, '/tmp/circle/x'), { code: 'INVALID' });

  await write('/tmp/way', tarOf({ path: 'g' }));
  await write('/tmp/file', tarOf({ path: 'new content' }));
  await write('/tmp/lost', tarOf({ path: 'found' }));
  await write('/tmp/root/etc', tarOf({ path: 'mark' }));
  await inImage(async (root) => {
    const text = await run(['sh', '-c', 'cd tmp; cat real/g real/f lost ../etc/mark'], { cwd: root });
    assert.equal(text, 'gnew contentfoundmark');
    assert.equal(await run(['readlink', join(root, 'tmp/way')]), '/tmp/real\n');
  });
  await assert.rejects(stat('/etc/mark'), { code: 'ENOENT' });
});

const folder = { path: 'd', type: 'folder' as const };
const refused: [what: string, path: string, tar: Buffer[], code: string, message: RegExp][] = [
  [
    'a folder over a link to a folder',
    '/',
    tarOf({ ...folder, path: 'tmp' }, { path: 'tmp/way', type: 'folder' }),
    'CONFLICT',
    /\/tmp\/way is no folder/,
  ],
  [
    'a folder over a file',
    '/etc',
    tarOf({ ...folder, path: 'greeting' }),
    'CONFLICT',
    /\/etc\/greeting is no folder in the image, and a folder/,
  ],
  [
    'a file over a folder',
    '/',
    tarOf({ path: 'etc' }),
    'CONFLICT',
    /\/etc is a folder in the image, and a file/,
  ],
  [
    'a link over a folder',
    '/',
    tarOf({ path: 'etc', type: 'link', target: 'x' }),
    'CONFLICT',
    /\/etc is a folder/,
  ],
  [
    'a name with ".."',
    '/tmp',
    tarOf({ path: '../etc/passwd' }),
    'INVALID',
    /"\.\.\/etc\/passwd" .* no place/,
  ],
  ['".." further in', '/tmp', tarOf(folder, { path: 'd/../../x' }), 'INVALID', /no place/],
  [
    'a file below a link that came along',
    '/tmp',
    tarOf({ path: 'l', type: 'link', target: '/etc' }, { path: 'l/x' }),
    'CONFLICT',
    /\/tmp\/l is no folder/,
  ],
  ['a file below a file', '/tmp', tarOf({ path: 'f' }, { path: 'f/x' }), 'CONFLICT', /\/tmp\/f is no folder/],
  ['a file without its folder', '/tmp', tarOf({ path: 'e/x' }), 'CONFLICT', /\/tmp\/e is no folder/],
  [
    'a hard link to a file of the image',
    '/tmp',
    tarOf({ path: 'h', type: 'hard-link', target: '/etc/passwd' }),
    'INVALID',
    /no place/,
  ],
  [
    'a hard link out',
    '/tmp',
    tarOf({ path: 'h', type: 'hard-link', target: '../../etc/passwd' }),
    'INVALID',
    /no place/,
  ],
  [
    'a hard link to a link',
    '/tmp',
    tarOf({ path: 'l', type: 'link', target: '/etc/passwd' }, { path: 'h', type: 'hard-link', target: 'l' }),
    'INVALID',
    /no place/,
  ],
  ['what would delete', '/tmp', tarOf({ path: '.wh.way' }), 'INVALID', /"\.wh\.way" cannot be saved/],
  [
    'what would hide a folder',
    '/',
    tarOf({ path: '.wh..wh..opq' }),
    'INVALID',
    /"\.wh\.\.wh\.\.opq" cannot be saved/,
  ],
  [
    'a name that no volume holds',
    '/tmp',
    tarOf({ path: 'n'.repeat(255) }),
    'INVALID',
    /"n+" cannot .* 254 bytes/,
  ],
  [
    'a new name that no volume holds',
    `/tmp/${'n'.repeat(255)}`,
    tarOf({ path: 'f' }),
    'INVALID',
    /254 bytes/,
  ],
  [
    'a file twice',
    '/tmp',
    tarOf({ path: 'f' }, { path: './f' }),
    'INVALID',
    /"\.\/f" is in the archive twice/,
  ],
  [
    'several files for one name',
    '/tmp/several',
    tarOf({ path: 'a' }, { path: 'b' }),
    'INVALID',
    /Several files/,
  ],
  [
    'a capability that is none',
    '/tmp',
    tarOf({ path: 'f', attributes: new Map([['security.capability', 'junk']]) }),
    'INVALID',
    /"\/tmp\/f" has no place in an image: its attributes cannot be set \(invalid argument\)/,
  ],
  [
    'an attribute that no file system of the server takes',
    '/tmp',
    tarOf({ path: 'f', attributes: new Map([['user.a', 'x'.repeat(70_000)]]) }),
    'INVALID',
    /"\/tmp\/f" has no place in an image: its attributes/,
  ],
  [
    'a link with a target that no link has',
    '/tmp',
    tarOf({ path: 'l', type: 'link', target: `${'x '.repeat(2500)}` }),
    'INVALID',
    /"\/tmp\/l" has no place in an image: the link cannot be made \(file name too long\)/,
  ],
  ['an archive of nothing', '/tmp', [endOfTar()], 'INVALID', /empty/],
  ['no archive', '/tmp', [Buffer.alloc(2048, 'x')], 'INVALID', /not a tar archive/],
  ['a folder that is missing', '/no/where', tarOf(folder), 'NOT_FOUND', /There is no \/no in/],
  ['a folder that is a file', '/etc/passwd/x', tarOf(folder), 'NOT_FOUND', /There is no \/etc\/passwd in/],
];

test('what has no place is refused, and nothing is left of it', async () => {
  const [images, known] = [await store.images(), image];
  for (const [what, path, tar, code, message] of refused) {
    await assert.rejects(write(path, tar), (error: Error & { code?: string }) => {
      assert.equal(error.code, code, `${what}: ${error.message}`);
      assert.match(error.message, message, what);
      return true;
    });
  }
  await assert.rejects(write('/tmp', Readable.from([tarOf({ path: 'f' })[0] ?? Buffer.alloc(0)])), {
    code: 'INVALID',
  });
  const rest = Readable.from(
    (function* () {
      yield* tarOf({ path: '../f' });
      for (;;) yield Buffer.alloc(512);
    })(),
  );
  await assert.rejects(platform.images.writeFiles('ann', image, '/tmp', rest), { code: 'INVALID' });
  assert.equal(rest.destroyed, true, 'who sends more need not wait');
  assert.deepEqual(await platform.images.get('ann', image.name), known);
  assert.deepEqual(await store.images(), images);
  assert.deepEqual(await readdir(join(platform.paths.containers, 'tmp')), []);
});

test('marks of overlayfs do not come in with a copy', async () => {
  const attributes = new Map([
    ['trusted.overlay.opaque', 'y'],
    ['trusted.overlay.redirect', '/etc'],
    ['security.selinux', 'x'],
    ['user.note', 'kept'],
  ]);
  await write('/tmp', tarOf({ ...folder, path: 'marked', attributes }));
  const layer = (await store.layers()).get(image.layers.at(-1) ?? '');
  const told = await run(['getfattr', '-dm', '-', '--', join(layer?.folder ?? '', 'tmp/marked')]);
  assert.deepEqual(
    told.split('\n').filter((line) => line.includes('=')),
    ['user.note="kept"'],
  );
});

test('a large file goes through without being held in memory', async () => {
  const size = 400 * 2 ** 20;
  const chunk = Buffer.alloc(2 ** 20);
  async function* large(): AsyncGenerator<Buffer> {
    yield tarHeader({ ...plain, path: 'large', size });
    for (let sent = 0; sent < size; sent += chunk.length) yield chunk;
    yield endOfTar();
  }
  const before = process.memoryUsage.rss();
  let peak = before;
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 20);
  await write('/tmp', large());
  let read = 0;
  for await (const piece of await platform.images.readFiles(image, '/tmp/large'))
    read += (piece as Buffer).length;
  clearInterval(timer);
  assert.ok(read > size);
  assert.ok(peak - before < size / 2, `${(peak - before) / 2 ** 20} MB more`);
});

test('who stops reading leaves nothing mounted', async () => {
  await writeFile(join(platform.folder, 'x'), '');
  const tar = await platform.images.readFiles(image, '/');
  await once(tar, 'readable');
  const chunk = tar.read() as Buffer;
  assert.ok(chunk.length > 0);
  tar.destroy();
  await once(tar, 'close');
  const mounts = await run(['cat', '/proc/self/mounts']);
  assert.ok(!mounts.includes(`${platform.folder}/state/containers/overlay/`), mounts);
});

test('a copy that nobody takes, or only the beginning of, leaves the image as free as it was', async () => {
  const mounted = async () =>
    (await readFile('/proc/self/mountinfo', 'utf8'))
      .split('\n')
      .filter((line) => line.includes(platform.folder)).length;
  const before = await mounted();
  for (const read of [false, true, false, true]) {
    const tar = await platform.images.readFiles(image, '/');
    if (read) await once(tar, 'readable');
    const closed = once(tar, 'close');
    tar.destroy();
    await closed;
  }
  assert.equal(await mounted(), before);
});
