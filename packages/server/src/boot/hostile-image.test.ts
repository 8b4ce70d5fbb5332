/** Images that somebody made to lead the server astray, to fill its disk, or to keep it busy. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { isUserError, run } from '../platform/index.ts';
import { everythingIn, HostileTree, hostileTree, SECRET } from '../trees/hostile-tree.fixture.ts';
import { readBootRecord } from './boot-files.ts';
import { exampleTarget } from './example-target.ts';
import { identityTree } from './initramfs/index.ts';
import { filesOfIdentity } from './lending/index.ts';
import { type ImageTree, prepareBootFiles } from './prepare.ts';

const MiB = 1024 * 1024;
const digest = `sha256:${'a'.repeat(64)}`;
const WALT = { 'walt.node.models': 'pc-x86-64' };

let folder: string;
let paths: { bootFiles: string; volumes: string; busybox: string };
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-hostile-image-'));
  paths = { bootFiles: join(folder, 'b'), volumes: join(folder, 'v'), busybox: join(folder, 'x') };
});
afterEach(() => rm(folder, { recursive: true }));

function image(root: string, labels: Record<string, string> = {}, lender?: string): ImageTree {
  return {
    ...{ digest, architecture: 'amd64', root },
    config: { entrypoint: [], cmd: ['x'], env: [], workdir: '/a/../../../x', user: '', labels },
    withLender: async (use) =>
      lender === undefined ? undefined : use({ digest: `sha256:${'b'.repeat(64)}`, root: lender }),
  };
}

test('whatever an image holds, its boot files are plain files, of what is in it, and nothing outside is touched', async () => {
  const attempts = { made: 0, refused: 0 };
  await fc.assert(
    fc.asyncProperty(hostileTree, hostileTree, fc.boolean(), async (entries, lending, isWalt) => {
      await using hostile = await HostileTree.make([...entries, ...(isWalt ? [startScript, init] : [])]);
      await using lender = await HostileTree.make([...lending, ...kernel]);
      try {
        await prepareBootFiles(image(hostile.tree, isWalt ? WALT : {}, lender.tree), paths);
        attempts.made += 1;
      } catch (error) {
        assert.ok(isUserError(error), String((error as Error).stack));
        attempts.refused += 1;
      }
      assert.equal((await stat(paths.bootFiles)).mode & 0o077, 0);
      assert.ok(!(await everythingIn(paths.bootFiles)).includes(SECRET));
      const record = await readBootRecord(paths, digest);
      const { bin, folders = [], templates = [] } = record?.walt ?? {};
      const placed = [
        ...identityTree(exampleTarget, record && filesOfIdentity(record)).map(({ path }) => path),
        ...[bin ?? 'bin', ...folders.map(({ path }) => path), ...templates.map(({ path }) => path)],
      ];
      for (const path of placed) assert.doesNotMatch(path, /^\/|(?:^|\/)\.\.(?:\/|$)|\0/);
      await hostile.assertUntouched();
      await lender.assertUntouched();
      await rm(paths.bootFiles, { recursive: true });
    }),
    { numRuns: 80 },
  );
  assert.ok(attempts.made > 5 && attempts.refused > 5, JSON.stringify(attempts));
});

const file = (path: string, content: string) => ({
  path: path.split('/'),
  kind: 'file' as const,
  target: '',
  content,
});
const startScript = file('boot/pc-x86-64/start.ipxe', '#!ipxe\nkernel kernel\n');
const init = file('sbin/init', '');
const kernel = [file('boot/vmlinuz-9.9', 'kernel'), file('lib/modules/9.9/modules.dep', 'x.ko:\n')];

/** Writes files of an image; a number stands for a file of so many bytes without content. */
async function makeImage(files: Record<string, string | Uint8Array | number>): Promise<string> {
  const root = join(folder, 'image');
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await using made = await open(join(root, path), 'w');
    if (typeof content === 'number') await made.truncate(content);
    else await made.writeFile(content);
  }
  return root;
}

const modules = 'lib/modules/6.1-test';
const bootable = {
  ...{ 'sbin/init': '', 'usr/sbin/sshd': '', 'bin/sh': '', 'etc/passwd': 'root:x:0:0::/root:/bin/sh\n' },
  'boot/vmlinuz-6.1-test': 'kernel',
  [`${modules}/modules.dep`]: 'erofs.ko:\nnfsv4.ko:\nloop.ko:\noverlay.ko:\n',
  ...Object.fromEntries(['erofs', 'nfsv4', 'loop', 'overlay'].map((name) => [`${modules}/${name}.ko`, name])),
};

async function packedByXz(bytes: Uint8Array): Promise<Buffer> {
  await writeFile(join(folder, 'packed'), bytes);
  await run(['xz', '--threads=2', '-0', '--', join(folder, 'packed')]);
  return readFile(join(folder, 'packed.xz'));
}

describe('too much is refused by the name of the file, and nothing stays', () => {
  const bomb = Buffer.alloc(200 * MiB);
  const withErofs = (suffix: string, bytes: Uint8Array) => ({
    [`${modules}/modules.dep`]: `erofs.ko.${suffix}:\nnfsv4.ko:\nloop.ko:\noverlay.ko:\n`,
    [`${modules}/erofs.ko.${suffix}`]: bytes,
  });
  const rows: [
    name: string,
    files: () => Promise<Record<string, string | Uint8Array | number>>,
    path: RegExp,
  ][] = [
    ['a list of aliases', async () => ({ [`${modules}/modules.alias`]: 500 * MiB }), /modules\.alias/],
    ['accounts', async () => ({ 'etc/passwd': 440 * MiB, 'boot/pc-x86-64/start.ipxe': '' }), /etc\/passwd/],
    ['a kernel’s settings', async () => ({ 'boot/config-6.1-test': 100 * MiB }), /config-6\.1-test/],
    ['a kernel', async () => ({ 'boot/vmlinuz-6.1-test': 3000 * MiB }), /boot\/vmlinuz-6\.1-test/],
    [
      'a kernel packed by gzip',
      async () => ({ 'boot/vmlinuz-6.1-test': Buffer.concat([1, 2, 3].map(() => gzipSync(bomb))) }),
      /vmlinuz/,
    ],
    ['a module', async () => ({ [`${modules}/erofs.ko`]: 3000 * MiB }), /erofs\.ko/],
    ['a module packed by gzip', async () => withErofs('gz', gzipSync(bomb)), /erofs\.ko\.gz/],
    ['a module packed by zstd', async () => withErofs('zst', zstdCompressSync(bomb)), /erofs\.ko\.zst/],
    ['a module packed by xz', async () => withErofs('xz', await packedByXz(bomb)), /erofs\.ko\.xz/],
  ];
  for (const [name, files, path] of rows) {
    test(name, async () => {
      const root = await makeImage({ ...bootable, ...(await files()) });
      const labels = name === 'accounts' ? WALT : {};
      const before = process.memoryUsage.rss();
      await assert.rejects(prepareBootFiles(image(root, labels), paths, { bootFile: 512 * MiB }), (error) => {
        assert.ok(isUserError(error), String(error));
        assert.match(error.message, path);
        return true;
      });
      assert.ok(process.memoryUsage.rss() - before < 300 * MiB);
      assert.deepEqual(await readdir(paths.bootFiles), []);
    });
  }
});

test('modules that are small each, and many, are refused as well', async () => {
  const names = Array.from({ length: 40 }, (_, i) => `m${i}`);
  const root = await makeImage({
    ...bootable,
    [`${modules}/modules.dep`]: `erofs.ko: ${names.map((name) => `${name}.ko`).join(' ')}\nnfsv4.ko:\nloop.ko:\noverlay.ko:\n${names.map((name) => `${name}.ko:\n`).join('')}`,
    ...Object.fromEntries(names.map((name) => [`${modules}/${name}.ko`, 4 * MiB])),
  });
  await assert.rejects(prepareBootFiles(image(root), paths), { code: 'INVALID', message: /modules/ });
});

test('modules that need each other without an end are refused', async () => {
  const count = 100_000;
  const chain = Array.from({ length: count }, (_, i) => `m${i}.ko: m${i + 1}.ko\n`).join('');
  const root = await makeImage({
    ...bootable,
    [`${modules}/modules.dep`]: `erofs.ko: m0.ko\nnfsv4.ko:\nloop.ko:\noverlay.ko:\n${chain}`,
  });
  await assert.rejects(prepareBootFiles(image(root), paths), {
    ...{ code: 'INVALID', message: /modules of the kernel 6\.1-test: 2000 are the most/ },
  });
});

test('a kernel with holes keeps them', async () => {
  const root = await makeImage({ ...bootable, 'boot/vmlinuz-6.1-test': 400 * MiB });
  await prepareBootFiles(image(root), paths);
  const { size, blocks } = await stat(join(paths.bootFiles, 'a'.repeat(64), 'vmlinuz-pc'));
  assert.equal(size, 400 * MiB);
  assert.ok(blocks * 512 < MiB, `${blocks * 512} bytes on disk`);
});

describe('folders from which a boot script loads', () => {
  const walt = { ...bootable, 'boot/pc-x86-64/start.ipxe': '#!ipxe\nchain x\n' };

  test('may have themselves in them, many times', async () => {
    const root = await makeImage(walt);
    await mkdir(join(root, 'boot/e'));
    await writeFile(join(root, 'boot/e/file'), 'x');
    for (let i = 0; i < 30; i += 1) await symlink('/boot/e', join(root, `boot/e/${i}`));
    await symlink('../e', join(root, 'boot/pc-x86-64/e'));
    await prepareBootFiles(image(root, WALT), paths);
    const served = join(paths.bootFiles, 'a'.repeat(64), 'walt/pc-x86-64');
    assert.deepEqual((await readdir(served, { recursive: true })).sort(), ['e', 'e/file', 'start.ipxe']);
  });

  test('may not have a million ways through them', async () => {
    const root = await makeImage(walt);
    for (let level = 0; level < 7; level += 1) {
      await mkdir(join(root, `boot/l${level}`));
      for (let i = 0; i < 10; i += 1) await symlink(`/boot/l${level + 1}`, join(root, `boot/l${level}/${i}`));
    }
    await mkdir(join(root, 'boot/l7'));
    await symlink('/boot/l0', join(root, 'boot/pc-x86-64/all'));
    await assert.rejects(prepareBootFiles(image(root, WALT), paths), {
      code: 'INVALID',
      message: /more than 10000 files/,
    });
    assert.deepEqual(await readdir(paths.bootFiles), []);
  });

  test('may not hold more than so much', async () => {
    const root = await makeImage({
      ...walt,
      ...Object.fromEntries([1, 2, 3, 4, 5].map((i) => [`boot/pc-x86-64/${i}`, 14 * MiB])),
    });
    await assert.rejects(prepareBootFiles(image(root, WALT), paths, { bootFile: 16 * MiB }), {
      code: 'INVALID',
    });
  });
});
