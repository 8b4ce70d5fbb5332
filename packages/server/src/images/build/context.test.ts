import assert from 'node:assert/strict';
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, test } from 'node:test';
import { type Header, pack } from 'tar-stream';
import { unpackContext } from './context.ts';

type Entry = Partial<Header> & { name: string; text?: string };

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
    return unpackContext(tarOf([{ name: 'f', text: 'one', mode: 0o644, mtime: new Date(1), ...entry }]), at);
  };
  const first = await hashOf({});
  assert.match(first, /^[0-9a-f]{64}$/);
  assert.equal(await hashOf({ mtime: new Date(5000) }), first);
  const large = 'x'.repeat(2 ** 20 + 1);
  const others = [{ name: 'g' }, { mode: 0o755 }, { text: 'two' }, { text: large }, { text: `${large}y` }];
  const hashes = await Promise.all(others.map(hashOf));
  assert.equal(new Set([first, ...hashes]).size, 6);
});

test('a tar that breaks off, or is none, is not taken for a folder', async () => {
  const whole = await buffer(tarOf([{ name: 'f', text: 'x'.repeat(5000) }]));
  async function* broken() {
    yield whole.subarray(0, 2048);
    throw new Error('the client has gone');
  }
  await assert.rejects(unpackContext(Readable.from(broken()), folder), { code: 'UNAVAILABLE' });
  await rm(folder, { recursive: true });
  await mkdir(folder);
  await assert.rejects(unpackContext(Readable.from([whole.subarray(0, 2048)]), folder), {
    code: 'UNAVAILABLE',
  });
  await assert.rejects(unpackContext(Readable.from([Buffer.alloc(2048, 'x')]), folder), {
    code: 'UNAVAILABLE',
  });
});
