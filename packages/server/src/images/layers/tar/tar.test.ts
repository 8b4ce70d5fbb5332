import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { run } from '../../../platform/index.ts';
import { endOfTar, padding, readTar, type TarHeader, tarHeader } from './index.ts';

let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-tar-'));
});
after(() => rm(folder, { recursive: true }));

const plain: TarHeader = {
  ...{ path: 'f', type: 'file', mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 0n, target: '' },
  attributes: new Map(),
};

/** In pieces of a size that fits nothing. */
async function* pieces(bytes: Buffer, size = 700): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function readAll(bytes: Buffer, special = false): Promise<{ header: TarHeader; text: string }[]> {
  const found = [];
  for await (const { header, content } of readTar(pieces(bytes), { special })) {
    found.push({ header, text: (await buffer(content)).toString('latin1') });
  }
  return found;
}

const headers: [what: string, header: Partial<TarHeader>][] = [
  ['a plain file', {}],
  ['a folder', { path: 'd/', type: 'folder', mode: 0o1777 }],
  ['a link', { type: 'link', target: '../x' }],
  ['a hard link', { type: 'hard-link', target: 'a/b' }],
  ['a long name', { path: `${'long/'.repeat(60)}f` }],
  ['a long target', { type: 'link', target: `/${'long/'.repeat(60)}` }],
  ['bytes that are no UTF-8', { path: 'bad\xff\xfe name\n', type: 'link', target: '\xff' }],
  ['nanoseconds', { mtime: 981_173_106_123_456_789n }],
  ['a time before 1970', { mtime: -1_500_000_000n }],
  ['large owners', { uid: 300_000_000, gid: 4_294_967_294 }],
  ['attributes', { attributes: new Map([['user.a', '\0\xff\n=']]) }],
  ['a pipe', { type: 'pipe' }],
  ['a device', { type: 'char-device', device: { major: 10, minor: 229 } }],
  ['a disk', { type: 'block-device', device: { major: 259, minor: 70_000 } }],
];

for (const [what, change] of headers) {
  test(`${what} is read as it was written`, async () => {
    const header = { ...plain, ...change };
    const [entry] = await readAll(Buffer.concat([tarHeader(header), endOfTar()]), true);
    assert.deepEqual(entry?.header, header);
  });
}

test('content is passed on, or passed over', async () => {
  const text = 'x'.repeat(1500);
  const bytes = Buffer.concat([
    ...[tarHeader({ ...plain, size: 1500 }), Buffer.from(text), padding(1500)],
    ...[tarHeader({ ...plain, path: 'g' }), endOfTar()],
  ]);
  assert.deepEqual(
    (await readAll(bytes)).map((entry) => [entry.header.path, entry.text.length]),
    [
      ['f', 1500],
      ['g', 0],
    ],
  );
  const names = [];
  for await (const { header } of readTar(pieces(bytes, 10_000))) names.push(header.path);
  assert.deepEqual(names, ['f', 'g']);
});

test('8 GB and more are told in full', () => {
  const head = tarHeader({ ...plain, size: 10 * 2 ** 30 });
  assert.match(head.toString('latin1'), /20 size=10737418240\n/);
});

for (const format of ['v7', 'ustar', 'gnu', 'oldgnu', 'pax']) {
  test(`reads what GNU tar writes as ${format}, and GNU tar reads what we write`, async () => {
    const source = join(folder, format);
    await mkdir(join(source, 'd'), { recursive: true });
    await writeFile(join(source, 'd/two words'), 'text');
    const deep = 'n'.repeat(format === 'v7' ? 60 : 90);
    await writeFile(join(source, deep), '');
    await run(['ln', '-s', 'two words', join(source, 'd/link')]);
    await run(['touch', '-d', '@1000000000', join(source, 'd/two words')]);
    const file = join(folder, `${format}.tar`);
    await run(['tar', `--format=${format}`, '--sort=name', '-C', source, '-cf', file, 'd', deep]);
    const entries = await readAll(await readFile(file));
    const told = entries.map(({ header: { path, type, target, mtime }, text }) =>
      path.includes('words') ? [path, type, text, mtime] : [path, type, target],
    );
    assert.deepEqual(told, [
      ['d/', 'folder', ''],
      ['d/link', 'link', 'two words'],
      ['d/two words', 'file', 'text', 1_000_000_000_000_000_000n],
      [deep, 'file', ''],
    ]);
    const again = entries.flatMap(({ header, text }) => [
      ...[tarHeader(header), Buffer.from(text), padding(header.size)],
    ]);
    await writeFile(file, Buffer.concat([...again, endOfTar()]));
    assert.equal(await run(['tar', '-tf', file]), `d/\nd/link\nd/two words\n${deep}\n`);
    assert.equal(await run(['tar', '-xOf', file, 'd/two words']), 'text');
  });
}

const withLetter = (letter: string, name = 'f') => {
  const bytes = tarHeader({ ...plain, path: name });
  const before = bytes[156] ?? 0;
  bytes.write(letter, 156, 'latin1');
  const sum = Number.parseInt(bytes.toString('latin1', 148, 154), 8) - before + letter.charCodeAt(0);
  bytes.write(sum.toString(8).padStart(6, '0'), 148, 'latin1');
  return Buffer.concat([bytes, endOfTar()]);
};
/** An attribute whose record gets another key, of the same length. */
const pax = (key: string) => {
  const bytes = tarHeader({ ...plain, attributes: new Map([['user.x', '1']]) });
  const text = bytes.toString('latin1').replace('SCHILY.xattr.user.x', key);
  return Buffer.concat([Buffer.from(text, 'latin1'), endOfTar()]);
};
const one = (header: Partial<TarHeader>) => Buffer.concat([tarHeader({ ...plain, ...header }), endOfTar()]);
const whole = Buffer.concat([tarHeader({ ...plain, size: 3 }), Buffer.from('abc'), padding(3), endOfTar()]);

const refused: [what: string, bytes: Buffer, message: RegExp][] = [
  ['nothing', Buffer.alloc(0), /damaged/],
  ['text', Buffer.alloc(1024, 'text'), /not a tar archive/],
  ['a compressed tar', gzipSync(Buffer.alloc(4096, 'x')), /not a tar archive|damaged/],
  ['a tar without an end', whole.subarray(0, -1024), /damaged/],
  ['a tar cut in a file', whole.subarray(0, 513), /damaged/],
  ['a character device', withLetter('3', 'dev/mem'), /"dev\/mem" in the archive is a device/],
  ['a block device', withLetter('4'), /is a device/],
  ['a named pipe', withLetter('6'), /is a named pipe/],
  ['a sparse file of old', withLetter('S'), /is a sparse file/],
  ['a type that nobody knows', withLetter('Z'), /is of type "Z"/],
  ['a sparse file of pax', pax('GNU.sparse.realsize'), /is a sparse file/],
  ['an owner that cannot be', one({ uid: 2 ** 40 }), /number that no user can have/],
  ['a size that cannot be', one({ size: 2 ** 52 }), /number that cannot be/],
  ['a link with content', one({ type: 'link', target: 'x', size: 1 }), /size that cannot be/],
  ['a null character in a name', one({ path: 'a\0b' }), /no proper name/],
];

for (const [what, bytes, message] of refused) {
  test(`refuses ${what}`, async () => {
    await assert.rejects(readAll(bytes), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'INVALID');
      assert.match(error.message, message);
      return true;
    });
  });
}
