/** What a node sends: told and saved as a container's changes are; and what no node may send. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { before, test } from 'node:test';
import { result, temporaryFolder, usePlatform } from '../../../test/platform.ts';
import { changesSender } from '../../boot/index.ts';
import { attempt, run } from '../../platform/index.ts';
import { rawOf, textOf, withTree } from '../../trees/index.ts';
import { serverArchitecture } from '../architectures.ts';
import { endOfTar, padding, type TarHeader, tarHeader } from '../layers/tar/index.ts';
import { BELOW, CHANGES, listing } from '../saves/all-kinds.fixture.ts';
import { judge } from '../saves/index.ts';
import { DEEDS, overlaid, SET_UP } from '../saves/overlaid.fixture.ts';
import { inspectChanges } from '../saves/upper-folder.ts';
import { Store } from '../store/index.ts';
import type { ImageRecord } from '../types.ts';
import type { NotOfImage } from './left-out.ts';
import { entriesOf } from './sent-entries.ts';
import { readSentTree } from './sent-tree.ts';

const { platform, tiny } = await usePlatform();
const store = await Store.open(platform.paths, (argv) => [...argv]);
const nothing: NotOfImage = { files: new Set(), folders: [] };
const LIMIT = 2 ** 30;

/** Folder with the program that nodes are lent, of this machine. */
const lent = join(platform.folder, 'lent');
before(async () => {
  await mkdir(lent);
  await writeFile(join(platform.folder, 'sender'), await changesSender('/', serverArchitecture()));
  await run(['sh', '-euc', 'zcat ../sender | cpio --quiet -id'], { cwd: lent });
});

/** What a node sends that has this upper folder. */
async function sent(upper: string): Promise<Buffer> {
  const file = join(platform.folder, 'sent.tar');
  await run(['sh', '-euc', 'sh "$1/send-changes" "$1" "$2" >"$3"', 'sh', lent, upper, file]);
  return await readFile(file);
}

/** What comes of a tar for the tree of an image. */
function verdictOf(tar: Buffer, lower: string) {
  return withTree(lower, async (image) => {
    const tree = await readSentTree(Readable.from([tar]), { image, contents: undefined, limit: LIMIT });
    const top = tree.find('');
    assert.ok(top);
    const { root, devices } = await entriesOf(top, lower);
    return { verdict: judge([root]), devices };
  });
}

for (const [what, deeds] of DEEDS) {
  test(`told as a container's: ${what}`, async () => {
    await overlaid(SET_UP, deeds, async ({ lower, upper }) => {
      const { verdict } = await verdictOf(await sent(upper), lower);
      assert.deepEqual(verdict, await inspectChanges(upper, lower));
    });
  });
}

/** Makes deeds in an overlay on an image, as on a node; `use` gets what it sends, and the folder where all can be seen. */
async function onNode<T>(
  image: ImageRecord,
  deeds: string,
  use: (tar: Buffer, merged: string) => Promise<T>,
): Promise<T> {
  return await store.withMounted(image.digest, async (lower) => {
    const folder = await temporaryFolder();
    const [upper, work, merged] = ['upper', 'work', 'merged'].map((name) => join(folder, name));
    if (!upper || !work || !merged) throw new TypeError();
    for (const path of [upper, work, merged]) await mkdir(path);
    const options = `lowerdir=${lower},upperdir=${upper},workdir=${work},redirect_dir=off,metacopy=off`;
    await run(['mount', '-t', 'overlay', 'overlay', '-o', options, merged]);
    try {
      await run(['sh', '-euc', deeds], { cwd: merged });
      return await use(await sent(upper), merged);
    } finally {
      await attempt(['umount', merged]);
      await rm(folder, { recursive: true });
    }
  });
}

function receive(base: ImageRecord, tar: Buffer, platformPaths = nothing, keep = true) {
  return platform.images.receiveChanges({
    ...{ user: 'ann', base, platform: platformPaths, keep, onWait: () => {} },
    tar: () => Readable.from([tar], { objectMode: false }),
  });
}

async function saved(
  base: ImageRecord,
  tar: Buffer,
  name: string,
  expected: 'absent' | { digest: string } = 'absent',
) {
  const changes = await receive(base, tar);
  const image = await result(
    changes.save({ user: 'ann', target: { owner: 'ann', name }, from: base, expected, detail: 'on n1' }),
  );
  const left = await readdir(join(platform.paths.containers, 'tmp'));
  assert.deepEqual(
    left.filter((name) => name.startsWith('way-')),
    [],
    'what was sent is gone after the save',
  );
  return image;
}

test('all that files have is saved; devices are told', async () => {
  const below = await onNode(tiny, BELOW, (tar) => saved(tiny, tar, 'below'));
  const withoutDevices = CHANGES.replace(/mknod \S+ [cb] [0-9 ]+;?/g, 'true;');
  const { image, wanted } = await onNode(below, withoutDevices, async (tar, merged) => ({
    image: await saved(below, tar, 'changed'),
    // containers/storage sets the mode of the root itself.
    wanted: (await listing(merged)).replace(/^ d 755/, ' d 555'),
  }));
  assert.match(wanted, /system\.posix_acl_access=0x.*system\.posix_acl_default=0x/s);
  assert.match(wanted, /shared f 664 .*981173106\.1234567890/);
  assert.equal(image.layers.length, 3);
  assert.equal(await store.withMounted(image.digest, listing), wanted);
  const [step] = await platform.images.history.log({ owner: 'ann', name: 'changed' });
  assert.deepEqual([step?.action, step?.detail, step?.user], ['save', 'on n1', 'ann']);

  await onNode(tiny, 'mknod root/c c 1 3; mknod root/b b 259 70000; mkfifo root/p', async (tar) => {
    await using changes = await receive(tiny, tar);
    assert.deepEqual(
      changes.changes.map(({ kind, path }) => `${kind} ${path}`),
      ['A /root/p'],
    );
    assert.deepEqual(
      changes.lost.map(({ path }) => path),
      ['/root/b', '/root/c'],
    );
  });
});

test('a device that the image has stays, whatever was done to it', async () => {
  await overlaid(
    'mknod null c 1 3; mknod loop b 7 300',
    'chmod 600 null; chown 1 loop',
    async ({ lower, upper }) => {
      const { verdict, devices } = await verdictOf(await sent(upper), lower);
      assert.deepEqual(verdict, await inspectChanges(upper, lower));
      assert.deepEqual(devices, []);
      assert.equal(verdict.changes.length, 2);
    },
  );
});

test('what the platform put there and what a list names is told, and not saved', async () => {
  const list = 'opt/**\n!opt/keep\n!var/log/mine\n**/*.bak\n';
  const deeds = `mkdir -p etc/walt; printf '${list.replaceAll('\n', '\\n')}' >etc/walt/node-save.ignore`;
  const base = await onNode(tiny, deeds, (tar) => saved(tiny, tar, 'listed'));
  const clutter = `
    mkdir -p run/x var/log/app opt/keep/deep opt/drop usr/lib/walt/bin etc/walt; echo 1 >run/x/a.pid; echo 1 >var/log/app/log
    echo 1 >var/log/mine; echo 1 >opt/keep/deep/f; echo 1 >opt/drop/f; echo 1 >home/ann/x.bak; echo 1 >home/ann/x
    echo 1 >usr/lib/walt/bin/x; echo 1 >etc/hosts; rm etc/greeting; touch tmp/x; mkdir home/ann/run; ln home/ann/x tmp/hard`;
  await onNode(base, clutter, async (tar) => {
    const paths = { files: new Set(['/etc/hosts', '/etc/greeting']), folders: ['/usr/lib/walt'] };
    await using changes = await receive(base, tar, paths);
    const told = Object.groupBy(changes.changes, ({ leftOut }) => leftOut ?? 'saved');
    const pathsOf = (some: typeof changes.changes = []) => some.map(({ kind, path }) => `${kind} ${path}`);
    assert.deepEqual(pathsOf(told.saved), [
      ...[
        'A /home/ann/run',
        'A /home/ann/x',
        'A /opt',
        'A /opt/keep',
        'A /opt/keep/deep',
        'A /opt/keep/deep/f',
      ],
      ...['A /usr/lib', 'A /var', 'A /var/log', 'A /var/log/mine'],
    ]);
    assert.deepEqual(pathsOf(told.platform), [
      ...[
        'D /etc/greeting',
        'A /etc/hosts',
        'A /usr/lib/walt',
        'A /usr/lib/walt/bin',
        'A /usr/lib/walt/bin/x',
      ],
    ]);
    assert.ok(pathsOf(told.list).includes('A /run/x/a.pid'));
    assert.ok(pathsOf(told.list).includes('A /home/ann/x.bak'));
    const target = { owner: 'ann', name: 'kept' };
    const image = await result(
      changes.save({ user: 'ann', target, from: tiny, expected: 'absent', detail: '' }),
    );
    const tree = await store.withMounted(image.digest, listing);
    assert.match(tree, /home\/ann\/x f 644 0 0 {2}1 /, 'the other name of that file is left out');
    assert.doesNotMatch(tree, /tmp\/hard|opt\/drop|x\.bak|usr\/lib\/walt|etc\/hosts|var\/log\/app/);
    assert.match(tree, /etc\/greeting f/);
  });
});

test('a list that cannot be read is told, by its line', async () => {
  const deeds = "mkdir etc/walt; printf 'a\\n[\\n' >etc/walt/node-save.ignore";
  const base = await onNode(tiny, deeds, (tar) => saved(tiny, tar, 'broken-list'));
  await onNode(base, 'echo 1 >root/f', async (tar) => {
    await assert.rejects(receive(base, tar), {
      code: 'INVALID',
      message: '/etc/walt/node-save.ignore of the image has "[" in line 2, which is no pattern.',
    });
  });
});

test('a name that was moved meanwhile stays, and the result has one of its own', async () => {
  await onNode(tiny, 'echo 1 >root/mine', async (tar) => {
    const other = await saved(tiny, tar, 'moved');
    const error = await saved(tiny, tar, 'moved', { digest: tiny.digest }).then(
      () => assert.fail('saved'),
      (thrown: Error & { code: string }) => thrown,
    );
    assert.equal(error.code, 'CONFLICT');
    const [, kept = ''] = /kept as ann\/(moved-[0-9a-f]{8})\.$/.exec(error.message) ?? [];
    assert.ok(await platform.images.find('ann', kept), error.message);
    assert.equal((await platform.images.find('ann', 'moved'))?.digest, other.digest);
  });
});

test('nothing is saved where nothing changed', async () => {
  await onNode(tiny, ': >>etc/greeting; mkdir -p run/x', async (tar) => {
    await assert.rejects(saved(tiny, tar, 'unchanged'), { code: 'INVALID', message: /^Nothing was changed/ });
    assert.equal(await platform.images.find('ann', 'unchanged'), undefined);
  });
});

const top: TarHeader = {
  ...{ path: './', type: 'folder', mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 0n, target: '' },
  attributes: new Map(),
};
const file = (path: string, more: Partial<TarHeader> = {}): TarHeader => ({
  ...top,
  type: 'file',
  path,
  ...more,
});
const folder = (path: string, more: Partial<TarHeader> = {}): TarHeader => ({ ...top, path, ...more });
const mark = (name: string, value: string) => ({ attributes: new Map([[`trusted.overlay.${name}`, value]]) });

function archiveOf(...headers: TarHeader[]): Buffer {
  const parts = headers.flatMap((header) => [
    tarHeader(header),
    Buffer.alloc(header.size, 'x'),
    padding(header.size),
  ]);
  return Buffer.concat([...parts, endOfTar()]);
}

const lies: [what: string, tar: Buffer, message: RegExp][] = [
  ['nothing', Buffer.alloc(0), /damaged/],
  ['text', Buffer.alloc(2048, 'text'), /not a tar/],
  ['an end in the middle', archiveOf(top, file('./f', { size: 5000 })).subarray(0, 2048), /damaged/],
  ['no root', archiveOf(), /"\/" is missing/],
  ['a root that is a file', archiveOf(file('.')), /is no folder/],
  ['an absolute name', archiveOf(top, file('/etc/passwd')), /no name/],
  ['a name that climbs', archiveOf(top, folder('./a'), file('./a/../../etc/passwd')), /no name/],
  ['a file in no folder', archiveOf(top, file('./a/f')), /comes before its folder/],
  ['a file in a file', archiveOf(top, file('./a'), file('./a/f')), /comes before its folder/],
  [
    'a file in a link',
    archiveOf(top, file('./a', { type: 'link', target: '/etc' }), file('./a/f')),
    /before its folder/,
  ],
  ['a file twice', archiveOf(top, file('./a'), file('./a')), /comes twice/],
  [
    'a link to what did not come',
    archiveOf(top, file('./a', { type: 'hard-link', target: './b' })),
    /did not come/,
  ],
  [
    'a link to a folder',
    archiveOf(top, folder('./b'), file('./a', { type: 'hard-link', target: './b' })),
    /did not come/,
  ],
  ['a link to itself', archiveOf(top, file('./a', { type: 'hard-link', target: './a' })), /did not come/],
  ['a path too deep', archiveOf(top, file(`./${'d/'.repeat(501)}f`)), /500 folders deep/],
  [
    'too many attributes',
    archiveOf(
      top,
      ...Array.from({ length: 34 }, (_, n) =>
        file(`./f${n}`, { attributes: new Map([['user.a', 'x'.repeat(1_000_000)]]) }),
      ),
    ),
    /bytes of attributes/,
  ],
];

for (const [what, tar, message] of lies) {
  test(`a node that sends ${what} is told so`, async () => {
    await assert.rejects(receive(tiny, tar), { code: 'INVALID', message });
  });
}

const unsavable: [what: string, tar: Buffer, message: RegExp][] = [
  [
    'a name that would delete',
    archiveOf(top, folder('./root'), file('./root/.wh.x')),
    /"\/root\/\.wh\.x" cannot be saved/,
  ],
  [
    'a folder that was moved',
    archiveOf(top, folder('./moved', mark('redirect', '/etc'))),
    /"\/moved" was moved/,
  ],
  [
    'a file without its data',
    archiveOf(top, folder('./etc'), file('./etc/passwd', mark('metacopy', ''))),
    /keeps parts/,
  ],
];

for (const [what, tar, message] of unsavable) {
  test(`${what} is told, and nothing is saved`, async () => {
    await using changes = await receive(tiny, tar);
    assert.match(changes.refusal ?? '', message);
    const target = { owner: 'ann', name: 'unsavable' };
    await assert.rejects(
      result(changes.save({ user: 'ann', target, from: tiny, expected: 'absent', detail: '' })),
      {
        code: 'INVALID',
        message,
      },
    );
    assert.equal(await platform.images.find('ann', 'unsavable'), undefined);
  });
}

test('names that are no text are known byte by byte', async () => {
  const name = 'new\xff';
  await using changes = await receive(tiny, archiveOf(top, file(`./${name}`)), nothing, false);
  assert.equal(changes.changes[0]?.path, `/${name}`);
  assert.equal(textOf(rawOf('/ü')), '/ü');
});

test('more than the administrator allows is refused while it comes', async () => {
  const { limits } = platform.deps.config;
  const before = limits.nodeChanges;
  limits.nodeChanges = 1000;
  try {
    const tar = archiveOf(top, file('./a', { size: 600 }), file('./b', { size: 600 }));
    await assert.rejects(receive(tiny, tar), { code: 'INVALID', message: /more than 1000 bytes/ });
    await using _some = await receive(tiny, archiveOf(top, file('./a', { size: 600 })));
  } finally {
    limits.nodeChanges = before;
  }
});

test('a node that dies in the middle leaves nothing', async () => {
  const temporary = join(platform.paths.containers, 'tmp');
  const before = await readdir(temporary);
  const tar = Readable.from(
    (async function* () {
      yield archiveOf(top, file('./a', { size: 100_000 })).subarray(0, 50_000);
      throw new Error('the client has gone');
    })(),
    { objectMode: false },
  );
  const sending = {
    user: 'ann',
    base: tiny,
    platform: nothing,
    keep: true,
    onWait: () => {},
    tar: () => tar,
  };
  await assert.rejects(platform.images.receiveChanges(sending), /the client has gone/);
  assert.deepEqual(await readdir(temporary), before);
});
