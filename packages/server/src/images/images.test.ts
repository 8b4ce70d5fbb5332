import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { extract, pack } from 'tar-stream';
import { addTiny, usePlatform } from '../../test/platform.ts';
import { volumeName } from './layers/index.ts';
import type { ImageRecord } from './types.ts';

const { platform, tiny } = await usePlatform();

function copy(name: string): Promise<ImageRecord> {
  return platform.images.duplicate('ann', tiny, { owner: 'ann', name }, false);
}

/** A tar of files, by path; those that end with `/` are folders. */
function tarOf(files: Record<string, string>): Readable {
  const tar = pack();
  for (const [name, text] of Object.entries(files)) {
    if (name.endsWith('/')) tar.entry({ name, type: 'directory' });
    else tar.entry({ name, uid: 1000, gid: 1000 }, text);
  }
  tar.finalize();
  return Readable.from(tar);
}

/** Contents of a tar, by path. */
async function read(image: ImageRecord, path: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  const reader = extract();
  (await platform.images.readFiles(image, path)).pipe(reader);
  for await (const entry of reader) {
    const content = (await buffer(entry)).toString('utf8');
    files[entry.header.name.replace(/\/$/, '')] =
      entry.header.type === 'symlink' ? `→ ${entry.header.linkname}` : content;
  }
  return files;
}

test('an imported image has its volume, its boot files and its name', async () => {
  assert.deepEqual(
    { ...tiny, digest: '', created: 0, size: 0, layers: tiny.layers.length },
    {
      ...{ owner: 'ann', name: 'tiny', digest: '', architecture: 'amd64', created: 0, size: 0, layers: 1 },
      ...{ kernel: '6.1.0-fake', bootPlan: 'volumes', models: ['pc-x86-64'], lends: [] },
    },
  );
  assert.match(tiny.digest, /^sha256:[0-9a-f]{64}$/);
  assert.ok(tiny.size > 1_000_000);
  const volumes = await readdir(platform.paths.volumes);
  assert.ok(tiny.layers.every((layer) => volumes.includes(volumeName(layer))));
});

test('reads files and folders of an image', async () => {
  assert.deepEqual(await read(tiny, '/etc/greeting'), { greeting: 'hello\n' });
  assert.deepEqual(await read(tiny, '/home/ann'), { ann: '', 'ann/notes': 'old\n' });
  await assert.rejects(platform.images.readFiles(tiny, '/nowhere'), { code: 'NOT_FOUND' });
});

test('writes into a folder that exists, and under a new name', async () => {
  const image = await copy('written');
  const into = await platform.images.writeFiles('ann', image, '/home/ann', tarOf({ 'd/': '', 'd/f': '1' }));
  assert.equal(into.layers.length, tiny.layers.length + 1);
  const as = await platform.images.writeFiles('ann', into, '/opt', tarOf({ 'd/': '', 'd/f': '2' }));
  assert.deepEqual(await platform.images.get('ann', 'written'), as);
  assert.deepEqual(await read(as, '/home/ann'), {
    ...{ ann: '', 'ann/notes': 'old\n', 'ann/d': '', 'ann/d/f': '1' },
  });
  assert.deepEqual(await read(as, '/opt'), { opt: '', 'opt/f': '2' });
  await assert.rejects(read(tiny, '/opt'), { code: 'NOT_FOUND' });
});

test('a file takes the place of a file', async () => {
  const image = await copy('replaced');
  const replaced = await platform.images.writeFiles('ann', image, '/etc/greeting', tarOf({ other: 'bye\n' }));
  assert.deepEqual(await read(replaced, '/etc/greeting'), { greeting: 'bye\n' });
});

const refused: [what: string, path: string, tar: () => Readable, error: object][] = [
  ['a folder that is missing', '/no/where', () => tarOf({ f: '' }), { code: 'NOT_FOUND' }],
  ['several files for one name', '/opt', () => tarOf({ a: '', b: '' }), { code: 'INVALID' }],
  ['a tar that breaks off', '/tmp', () => Readable.from(brokenTar()), { message: 'client is gone' }],
];

async function* brokenTar(): AsyncGenerator<Buffer> {
  yield (await buffer(tarOf({ f: 'x'.repeat(5000) }))).subarray(0, 2048);
  throw new Error('client is gone');
}

for (const [what, path, tar, error] of refused) {
  test(`refuses ${what}, and changes nothing`, async () => {
    const image = await copy(`refused-${path.slice(1).replace('/', '-')}`);
    await assert.rejects(platform.images.writeFiles('ann', image, path, tar()), error);
    assert.deepEqual(await platform.images.get('ann', image.name), image);
  });
}

test('a link in the image leads nowhere out of it', async () => {
  const image = await copy('link');
  const tar = pack();
  tar.entry({ name: 'out', type: 'symlink', linkname: '/' });
  tar.finalize();
  const linked = await platform.images.writeFiles('ann', image, '/home', Readable.from(tar));
  const written = await platform.images.writeFiles('ann', linked, '/home/out/etc', tarOf({ mark: '1' }));
  assert.deepEqual(await read(written, '/etc/mark'), { mark: '1' });
  await assert.rejects(readdir('/etc/mark'), { code: 'ENOENT' });
});

test('an image that was changed meanwhile is not overwritten; the result is kept beside it', async () => {
  const image = await copy('moved');
  const now = await platform.images.writeFiles('ann', image, '/tmp', tarOf({ a: '1' }));
  let kept = '';
  await assert.rejects(
    platform.images.writeFiles('ann', image, '/tmp', tarOf({ b: '1' })),
    (error: Error) => {
      kept = /kept as ann\/(moved-\w{8})\.$/.exec(error.message)?.[1] ?? '';
      return 'code' in error && error.code === 'CONFLICT';
    },
  );
  assert.deepEqual(await platform.images.get('ann', 'moved'), now);
  assert.deepEqual(await read(await platform.images.get('ann', kept), '/tmp/b'), { b: '1' });
});

test('what no name, no session and no node needs is collected', async () => {
  const image = await copy('collected');
  const kept = await platform.images.writeFiles('ann', image, '/tmp', tarOf({ kept: '1' }));
  const open = await platform.images.writeFiles('ann', kept, '/tmp', tarOf({ open: '1' }));
  const session = await platform.images.shells.open('ann', open);
  const lost = await platform.images.writeFiles('ann', open, '/tmp', tarOf({ lost: '1' }));
  await platform.images.duplicate('ann', tiny, { owner: 'ann', name: 'collected' }, true);
  const volumes = async () => new Set(await readdir(platform.paths.volumes));
  const top = (record: ImageRecord) => volumeName(record.layers.at(-1) ?? '');

  await platform.images.collect(new Set([kept.digest]), 0);
  let present = await volumes();
  assert.deepEqual(
    [kept, open, lost, tiny].map((record) => present.has(top(record))),
    [true, true, false, true],
  );

  await platform.images.shells.discard(session.id);
  await platform.images.collect(new Set(), 0);
  present = await volumes();
  assert.deepEqual(
    [kept, open, tiny].map((record) => present.has(top(record))),
    [false, false, true],
  );
  assert.deepEqual(await read(tiny, '/etc/greeting'), { greeting: 'hello\n' });
});

test('an image outlives the one that it was made from', async () => {
  const parent = await addTiny(platform, 'parent', 'another');
  const child = await platform.images.writeFiles('ann', parent, '/tmp', tarOf({ child: '1' }));
  const grandchild = await platform.images.writeFiles('ann', child, '/tmp', tarOf({ grandchild: '1' }));
  await platform.images.collect(new Set(), 0);
  assert.deepEqual(await read(grandchild, '/tmp/child'), { child: '1' });
  const session = await platform.images.shells.open('ann', grandchild);
  await platform.images.shells.discard(session.id);
  await platform.images.remove('ann', grandchild);
  await platform.images.collect(new Set(), 0);
  const volumes = await readdir(platform.paths.volumes);
  assert.equal(
    grandchild.layers.some((layer) => volumes.includes(volumeName(layer))),
    false,
  );
});
