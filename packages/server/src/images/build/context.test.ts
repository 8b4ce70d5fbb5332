import assert from 'node:assert/strict';
import { once } from 'node:events';
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, test } from 'node:test';
import { type Header, pack } from 'tar-stream';
import { run, streamProgram } from '../../platform/index.ts';
import { readAttributes } from '../saves/index.ts';
import { unpackContext } from './context.ts';

type Entry = Partial<Header> & { name: string; text?: string };

const LIMITS = { bytes: 10_000_000, entries: 100 };

let place: string;
let folder: string;

beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'walt-context-'));
  folder = join(place, 'context');
  await mkdir(folder);
});
afterEach(() => rm(place, { recursive: true }));

function tarOf(entries: readonly Entry[]): Readable {
  const tar = pack();
  for (const { text, ...header } of entries) tar.entry(header, text ?? '');
  tar.finalize();
  return Readable.from(tar);
}

test('files, folders and links are as they were, wherever links lead', async () => {
  const mtime = new Date('2020-01-02T03:04:05Z');
  await unpackContext(
    tarOf([
      { name: 'd', type: 'directory', mode: 0o500, mtime },
      { name: 'd/f', text: 'content', mode: 0o640, mtime },
      { name: 'd/same', type: 'link', linkname: 'd/f' },
      { name: 'deep/er/f', text: '' },
      { name: './dot', text: 'x' },
      { name: 'out', type: 'symlink', linkname: '/etc/passwd' },
      { name: 'up', type: 'symlink', linkname: '../..' },
    ]),
    folder,
    LIMITS,
  );
  assert.deepEqual((await readdir(folder)).sort(), ['d', 'deep', 'dot', 'out', 'up']);
  const [file, made] = [await lstat(join(folder, 'd/f')), await lstat(join(folder, 'd'))];
  assert.equal(await readFile(join(folder, 'd/same'), 'utf8'), 'content');
  assert.deepEqual([file.mode & 0o7777, file.mtime, file.nlink], [0o640, mtime, 2]);
  assert.deepEqual([made.mode & 0o7777, made.mtime], [0o500, mtime]);
  assert.equal(await readlink(join(folder, 'out')), '/etc/passwd');
});

const hostile: [what: string, entries: Entry[]][] = [
  ['..', [{ name: '../x', text: '' }]],
  ['.. in the middle', [{ name: 'a/../../x', text: '' }]],
  ['an absolute path', [{ name: '/x', text: '' }]],
  [
    'a file below a link',
    [
      { name: 'l', type: 'symlink', linkname: '..' },
      { name: 'l/x', text: '' },
    ],
  ],
  [
    'a folder in place of a link',
    [
      { name: 'l', type: 'symlink', linkname: '..' },
      { name: 'l', type: 'directory' },
      { name: 'l/x', text: '' },
    ],
  ],
  [
    'a file through a link',
    [
      { name: 'l', type: 'symlink', linkname: '../x' },
      { name: 'l', text: '' },
    ],
  ],
  [
    'a file below a file',
    [
      { name: 'f', text: '' },
      { name: 'f/x', text: '' },
    ],
  ],
  ['a hard link out', [{ name: 'l', type: 'link', linkname: '/etc/passwd' }]],
  ['a hard link up', [{ name: 'l', type: 'link', linkname: '../x' }]],
  [
    'a hard link to a symbolic one',
    [
      { name: 's', type: 'symlink', linkname: '/etc/passwd' },
      { name: 'l', type: 'link', linkname: 's' },
    ],
  ],
  ['a device', [{ name: 'd', type: 'block-device', devmajor: 8, devminor: 0 }]],
  ['a character device', [{ name: 'd', type: 'character-device', devmajor: 1, devminor: 3 }]],
  ['a pipe', [{ name: 'p', type: 'fifo' }]],
  ['too many files', Array.from({ length: 101 }, (_, index) => ({ name: `f${index}`, text: '' }))],
  ['too many bytes', [{ name: 'f', text: 'x'.repeat(10_001) }]],
  ['a path that the kernel does not take', [{ name: `${'d/'.repeat(2000)}f`, text: '' }]],
  ['a name that the kernel does not take', [{ name: 'n'.repeat(256), text: '' }]],
  ['a name that means a deletion', [{ name: 'd/.wh.x', text: '' }]],
  ['a folder that means a deletion', [{ name: '.wh..wh..opq/x', text: '' }]],
  [
    'an access list that is none',
    [{ name: 'f', text: '', pax: { 'SCHILY.xattr.system.posix_acl_access': 'x' } }],
  ],
];

for (const [what, entries] of hostile) {
  test(`refuses ${what}, and writes nothing outside`, async () => {
    const limits = { bytes: 10_000, entries: 100 };
    await assert.rejects(unpackContext(tarOf(entries), folder, limits), { code: 'INVALID' });
    assert.deepEqual(await readdir(place), ['context']);
  });
}

test('the hash tells names, modes and contents, and not times', async () => {
  const hashOf = async (entry: Partial<Entry>) => {
    const at = await mkdtemp(join(place, 'hash-'));
    const entries = [{ name: 'f', text: 'one', mode: 0o644, mtime: new Date(1), ...entry }];
    return (await unpackContext(tarOf(entries), at, LIMITS)).hash;
  };
  const first = await hashOf({});
  assert.match(first, /^[0-9a-f]{64}$/);
  assert.equal(await hashOf({ mtime: new Date(5000) }), first);
  const large = 'x'.repeat(2 ** 20 + 1);
  const others = [{ name: 'g' }, { mode: 0o755 }, { text: 'two' }, { text: large }, { text: `${large}y` }];
  const hashes = await Promise.all(others.map(hashOf));
  assert.equal(new Set([first, ...hashes]).size, 6);
});

test('names that are no UTF-8, deep folders, parts of seconds', async () => {
  const deep = Array.from({ length: 1500 }, () => 'd').join('/');
  const source = join(place, 'source');
  await mkdir(source);
  await run(
    [
      'sh',
      '-c',
      `printf x > "$(printf '\\377\\374')"; printf y > 'a
b'; touch -d 2020-01-02T03:04:05.25Z 'a
b'`,
    ],
    { cwd: source },
  );
  const tar = streamProgram(['tar', '-c', '--format=pax', '-C', source, '.']);
  await unpackContext(tar.stdout, folder, LIMITS);
  assert.deepEqual((await readdir(folder, { encoding: 'latin1' })).sort(), ['a\nb', '\xff\xfc']);
  assert.equal((await lstat(join(folder, 'a\nb'))).mtimeMs, Date.parse('2020-01-02T03:04:05.25Z'));
  const below = join(place, 'below');
  await mkdir(below);
  await unpackContext(tarOf([{ name: `${deep}/f`, text: 'z' }]), below, LIMITS);
  assert.equal(await readFile(join(below, deep, 'f'), 'utf8'), 'z');
});

test('attributes and capabilities are kept; an access list leaves the rights that it gives', async () => {
  // user::rw-, user:1234:rwx, group::r--, mask::rwx, other::---: the mode shows the mask, 0670.
  const entry = (tag: number, right: number, id = 0xffffffff) => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt16LE(tag, 0);
    bytes.writeUInt16LE(right, 2);
    bytes.writeUInt32LE(id, 4);
    return bytes;
  };
  const list = Buffer.concat([
    Buffer.of(2, 0, 0, 0),
    ...[entry(1, 6), entry(2, 7, 1234), entry(4, 4), entry(16, 7), entry(32, 0)],
  ]);
  const source = join(place, 'source');
  await mkdir(join(source, 'odd name\\=\n'), { recursive: true });
  await writeFile(join(source, 'capped'), 'x', { mode: 0o755 });
  await writeFile(join(source, 'listed'), 'x');
  await run(['setcap', 'cap_net_raw+ep', 'capped'], { cwd: source });
  await run(['setfattr', '-n', 'user.a', '-v', '0x00ff0a3d', 'odd name\\=\n'], { cwd: source });
  await run(['setfattr', '-n', 'trusted.x', '-v', 'no', 'capped'], { cwd: source });
  await run(['setfattr', '-n', 'system.posix_acl_access', '-v', `0x${list.toString('hex')}`, 'listed'], {
    cwd: source,
  });
  const options = ['--xattrs', '--xattrs-include=*', '--format=pax'];
  const context = await unpackContext(
    streamProgram(['tar', '-c', ...options, '-C', source, '.']).stdout,
    folder,
    LIMITS,
  );
  assert.equal(context.listed, '"listed"');
  const paths = ['capped', 'listed', 'odd name\\=\n'].map((name) => join(folder, name));
  const attributes = await readAttributes(paths);
  assert.deepEqual([...(attributes.get(paths[0] ?? '')?.keys() ?? [])], ['security.capability']);
  assert.deepEqual([...(attributes.get(paths[2] ?? '') ?? [])], [['user.a', '0x00ff0a3d']]);
  assert.equal(attributes.has(paths[1] ?? ''), false);
  assert.equal((await lstat(paths[1] ?? '')).mode & 0o7777, 0o640);
  const plain = await mkdtemp(join(place, 'plain-'));
  const without = await unpackContext(streamProgram(['tar', '-c', '-C', source, '.']).stdout, plain, LIMITS);
  assert.notEqual(without.hash, context.hash);
  assert.equal(without.listed, undefined);
});

test('a tar that breaks off, or is none, is not taken for a folder', async () => {
  const whole = await buffer(tarOf([{ name: 'f', text: 'x'.repeat(5000) }]));
  async function* broken() {
    yield whole.subarray(0, 2048);
    throw new Error('the client has gone');
  }
  const cases: [tar: Readable, code: string][] = [
    [Readable.from(broken()), 'UNAVAILABLE'],
    [Readable.from([whole.subarray(0, 2048)]), 'INVALID'],
    [Readable.from([Buffer.alloc(2048, 'x')]), 'INVALID'],
    [Readable.from([]), 'INVALID'],
  ];
  for (const [tar, code] of cases) {
    await assert.rejects(unpackContext(tar, await mkdtemp(join(place, 'broken-')), LIMITS), { code });
    assert.ok(tar.destroyed);
  }
});

test('what waits for the client leaves nothing behind on its streams', async () => {
  const tar = new PassThrough({ highWaterMark: 1 });
  const unpacking = unpackContext(tar, folder, LIMITS);
  let most = 0;
  for await (const chunk of tarOf([{ name: 'f', text: 'x'.repeat(200_000) }])) {
    if (!tar.write(chunk)) await once(tar, 'drain');
    most = Math.max(most, ...tar.eventNames().map((name) => tar.listenerCount(name)));
  }
  tar.end();
  await unpacking;
  assert.ok(most < 5, `${most} listeners`);
});
