import assert from 'node:assert/strict';
import {
  appendFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { run } from '../platform/index.ts';
import { bootFaults, readBootRecord } from './boot-files.ts';
import { hasBootFiles, type ImageTree, prepareBootFiles, sweepBootFiles } from './prepare.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const release = '6.1.0-37-test';
const modules = `usr/lib/modules/${release}`;

let folder: string;
let paths: { bootFiles: string; volumes: string; busybox: string };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-prepare-'));
  paths = {
    bootFiles: join(folder, 'boot'),
    volumes: join(folder, 'volumes'),
    busybox: join(folder, 'busybox'),
  };
});
afterEach(() => rm(folder, { recursive: true }));

/** What makes an image complete, beside a kernel. */
const system = { 'sbin/init': 'init', 'usr/sbin/sshd': 'sshd', 'bin/sh': 'shell' };

/** A complete image tree; of its kernel's modules, NFS is compressed with xz, loop with gzip, EROFS is plain. */
async function kernelFiles(of = release): Promise<Record<string, string | Uint8Array>> {
  const modules = `usr/lib/modules/${of}`;
  return {
    ...system,
    [`boot/vmlinuz-${of}`]: of === release ? 'kernel' : `kernel ${of}`,
    [`${modules}/modules.dep`]: [
      'kernel/nfsv4.ko.xz: kernel/sunrpc.ko',
      'kernel/sunrpc.ko:',
      'kernel/erofs.ko:',
      'kernel/loop.ko.gz:',
      'kernel/e1000.ko:',
      'kernel/zram.ko:',
      'kernel/ext4.ko: kernel/jbd2.ko',
      'kernel/jbd2.ko:',
      'kernel/btrfs.ko:',
    ].join('\n'),
    [`${modules}/modules.builtin`]: 'kernel/fs/overlayfs/overlay.ko\n',
    [`${modules}/modules.alias`]: 'alias pci:v00008086d0000100E* e1000\nalias fs-btrfs btrfs\n',
    [`${modules}/kernel/nfsv4.ko.xz`]: await xz('nfsv4'),
    [`${modules}/kernel/sunrpc.ko`]: 'sunrpc',
    [`${modules}/kernel/erofs.ko`]: 'erofs',
    [`${modules}/kernel/loop.ko.gz`]: gzipSync('loop'),
    [`${modules}/kernel/e1000.ko`]: 'e1000',
    [`${modules}/kernel/zram.ko`]: 'zram',
    [`${modules}/kernel/ext4.ko`]: 'ext4',
    [`${modules}/kernel/jbd2.ko`]: 'jbd2',
    [`${modules}/kernel/btrfs.ko`]: 'btrfs',
  };
}

async function xz(text: string): Promise<Uint8Array> {
  const file = join(folder, 'packed');
  await writeFile(file, text);
  await run(['xz', '--force', '--', file]);
  return await readFile(`${file}.xz`);
}

async function makeImage(files: Record<string, string | Uint8Array>): Promise<ImageTree> {
  const root = join(folder, 'image');
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  await mkdir(join(root, 'usr/lib'), { recursive: true });
  await symlink('usr/lib', join(root, 'lib'));
  const config = { entrypoint: [], cmd: [], env: [], workdir: '', user: '', labels: {} };
  return { digest, architecture: 'amd64', root, config, withLender: async () => undefined };
}

/** Files of a module archive with their content. */
async function unpack(name: string): Promise<Map<string, string>> {
  const target = join(folder, `unpacked-${name}`);
  await mkdir(target);
  const archive = gunzipSync(await readFile(join(paths.bootFiles, 'a'.repeat(64), name)));
  // The kernel has made `lib/modules` and `etc` already: the archive with init comes first.
  await run(['busybox', 'cpio', '-i', '-d'], { cwd: target, input: archive });
  const entries = await readdir(target, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(
    await Promise.all(
      files.map(async (file) => [file.slice(target.length + 1), await readFile(file, 'utf8')] as const),
    ),
  );
}

/** What is made of a kernel, for virtual machines and for PCs. */
const names = ['vmlinuz-virtual', 'vmlinuz-pc', 'modules-virtual', 'modules-pc', 'disks-virtual', 'disks-pc'];
const inode = async (of: string, name: string) => (await stat(join(paths.bootFiles, of.slice(7), name))).ino;

describe('where an image has its /bin is noted, for links to the platform’s programs', () => {
  const rows: [what: string, bin: string | undefined, place: string | undefined][] = [
    ['a folder', undefined, 'bin'],
    ['a link into /usr', 'usr/bin', 'usr/bin'],
    ['an absolute link', '/usr/bin', 'usr/bin'],
    ['a link that leads out', '../../usr/bin', 'usr/bin'],
    ['a link to the root, where none are put', '/', undefined],
  ];
  for (const [what, link, place] of rows) {
    test(what, async () => {
      const image = await makeImage({ ...(await kernelFiles()), 'usr/bin/env': '' });
      if (link !== undefined) {
        await rm(join(image.root, 'bin'), { recursive: true });
        await symlink(link, join(image.root, 'bin'));
      }
      await prepareBootFiles(image, paths);
      assert.equal((await readBootRecord(paths, digest))?.bin, place);
    });
  }
});

describe('an image with a kernel', () => {
  test('has nodes that prove what hosts give them, if the kernel can, and there is a program for the CPU', async () => {
    const image = await makeImage(await kernelFiles());
    const proves = async (change: Partial<ImageTree> = {}) => {
      await prepareBootFiles({ ...image, ...change, anew: true }, paths);
      return (await readBootRecord(paths, digest))?.proves;
    };
    assert.equal(await proves(), false);
    const builtin = join(image.root, 'usr/lib/modules', release, 'modules.builtin');
    await appendFile(builtin, 'kernel/drivers/md/dm-verity.ko\n');
    assert.equal(await proves(), true);
    assert.equal(await proves({ architecture: 'i386' }), false);
  });

  test('gets its kernel, and the modules that nodes need of it, unpacked', async () => {
    const prepared = await prepareBootFiles(await makeImage(await kernelFiles()), paths);
    assert.deepEqual(prepared, {
      ...{ kernel: release, bootPlan: 'volumes', models: ['pc-x86-64'] },
      lends: [],
    });
    assert.deepEqual((await readdir(join(paths.bootFiles, 'a'.repeat(64)))).sort(), [
      'boot.json',
      'disks-pc',
      'disks-virtual',
      'modules-pc',
      'modules-virtual',
      'vmlinuz-pc',
      'vmlinuz-virtual',
    ]);
    const inodes = names.filter((name) => name.startsWith('vmlinuz')).map((name) => inode(digest, name));
    assert.equal(new Set(await Promise.all(inodes)).size, 1);
    const prefix = `lib/modules/${release}`;
    assert.deepEqual(
      await unpack('modules-virtual'),
      new Map([
        ['etc/quick-modules', 'loop erofs\n'],
        ['etc/slow-modules', 'sunrpc nfsv4\n'],
        ['etc/late-modules', 'zram\n'],
        [`${prefix}/e1000.ko`, 'e1000'],
        [`${prefix}/erofs.ko`, 'erofs'],
        [`${prefix}/loop.ko`, 'loop'],
        [`${prefix}/modules.alias`, 'alias pci:v00008086d0000100E* e1000\n'],
        [
          `${prefix}/modules.dep`,
          'e1000.ko:\nloop.ko:\nerofs.ko:\nsunrpc.ko:\nnfsv4.ko: sunrpc.ko\nzram.ko:\n',
        ],
        [`${prefix}/nfsv4.ko`, 'nfsv4'],
        [`${prefix}/sunrpc.ko`, 'sunrpc'],
        [`${prefix}/zram.ko`, 'zram'],
      ]),
    );
    assert.deepEqual(
      await unpack('disks-virtual'),
      new Map([
        ['etc/disk-modules', 'jbd2 ext4\n'],
        [`${prefix}/disks.alias`, ''],
        [`${prefix}/disks.dep`, 'jbd2.ko:\next4.ko: jbd2.ko\n'],
        [`${prefix}/ext4.ko`, 'ext4'],
        [`${prefix}/jbd2.ko`, 'jbd2'],
      ]),
    );
  });

  test('is prepared once: a second call does not look at the image', async () => {
    const image = await makeImage(await kernelFiles());
    const prepared = await prepareBootFiles(image, paths);
    await rm(image.root, { recursive: true });
    assert.deepEqual(await prepareBootFiles(image, paths), prepared);
  });

  test('is prepared anew when an older server did it otherwise', async () => {
    const image = await makeImage(await kernelFiles());
    assert.equal(await hasBootFiles(digest, paths), false);
    await prepareBootFiles(image, paths);
    assert.equal(await hasBootFiles(digest, paths), true);
    const record = join(paths.bootFiles, digest.slice(7), 'boot.json');
    const old = JSON.parse(await readFile(record, 'utf8'));
    await writeFile(record, JSON.stringify({ ...old, layout: old.layout - 1 }));
    assert.equal(await hasBootFiles(digest, paths), false);
    await prepareBootFiles(image, paths);
    assert.deepEqual(JSON.parse(await readFile(record, 'utf8')), old);
  });

  test('knows each of its boot files, and makes those anew that are damaged, though another image shares them', async () => {
    const image = await makeImage(await kernelFiles());
    await prepareBootFiles(image, paths);
    const change = { ...image, digest: `sha256:${'c'.repeat(64)}`, base: digest };
    await prepareBootFiles(change, paths);
    const file = (of: string, name: string) => join(paths.bootFiles, of.slice(7), name);
    const [name = ''] = (await readdir(join(paths.bootFiles, digest.slice(7)))).filter((one) =>
      one.startsWith('modules-'),
    );
    assert.equal((await stat(file(digest, name))).ino, (await stat(file(change.digest, name))).ino);
    assert.deepEqual(await bootFaults(change.digest, paths), []);
    const content = await readFile(file(digest, name));

    await writeFile(
      file(digest, name),
      content.map((byte) => byte ^ 1),
    );
    assert.deepEqual(await bootFaults(change.digest, paths), [{ name, fault: 'is damaged' }]);
    await prepareBootFiles({ ...change, anew: true }, paths);
    assert.deepEqual(await bootFaults(change.digest, paths), []);
    assert.deepEqual(await readFile(file(change.digest, name)), content);

    await truncate(file(digest, name), 1);
    const fault = `has 1 bytes instead of ${content.length}`;
    assert.deepEqual(await bootFaults(digest, paths), [{ name, fault }]);
    await rm(file(digest, name));
    assert.deepEqual(await bootFaults(digest, paths), [{ name, fault: 'is missing' }]);
    await prepareBootFiles({ ...image, anew: true }, paths);
    assert.deepEqual(await bootFaults(digest, paths), []);
  });

  test('gets its tree over NFS when the kernel has no EROFS', async () => {
    const files = await kernelFiles();
    const index = String(files[`${modules}/modules.dep`]).replace(/.*erofs.*\n/, '');
    const image = await makeImage({ ...files, [`${modules}/modules.dep`]: index });
    assert.equal((await prepareBootFiles(image, paths)).bootPlan, 'nfs-root');
  });

  test('gets its tree over NFS when the kernel cannot unpack volumes', async () => {
    const config = 'CONFIG_EROFS_FS=m\n# CONFIG_EROFS_FS_ZIP is not set\n';
    const image = await makeImage({ ...(await kernelFiles()), [`boot/config-${release}`]: config });
    assert.equal((await prepareBootFiles(image, paths)).bootPlan, 'nfs-root');
  });
});

describe('an image with two kernels', () => {
  const [cloud, generic] = ['6.1.0-57-cloud-amd64', '6.1.0-57-amd64'];
  const made = (name: string) => readFile(join(paths.bootFiles, 'a'.repeat(64), name), 'utf8');
  const both = async () => ({ ...(await kernelFiles(cloud)), ...(await kernelFiles(generic)) });

  test('boots that for virtual machines on them, and the other one on PCs, each with its own modules', async () => {
    const image = await makeImage(await both());
    assert.deepEqual(await prepareBootFiles(image, paths), {
      ...{ kernel: cloud, realKernel: generic, bootPlan: 'volumes', models: ['pc-x86-64'], lends: [] },
    });
    assert.equal(await made('vmlinuz-virtual'), `kernel ${cloud}`);
    assert.equal(await made('vmlinuz-pc'), `kernel ${generic}`);
    assert.ok((await unpack('modules-virtual')).has(`lib/modules/${cloud}/loop.ko`));
    assert.ok((await unpack('modules-pc')).has(`lib/modules/${generic}/loop.ko.xz`));

    const changed = `sha256:${'b'.repeat(64)}`;
    await prepareBootFiles({ ...image, digest: changed, base: digest }, paths);
    for (const name of names) assert.equal(await inode(changed, name), await inode(digest, name), name);
  });

  test('boots the one that can mount volumes on all, if the other one cannot', async () => {
    const config = '# CONFIG_EROFS_FS_ZIP is not set\n';
    const image = await makeImage({ ...(await both()), [`boot/config-${generic}`]: config });
    assert.deepEqual(await prepareBootFiles(image, paths), {
      ...{ kernel: cloud, bootPlan: 'volumes', models: ['pc-x86-64'], lends: [] },
    });
    assert.equal(await made('vmlinuz-pc'), `kernel ${cloud}`);
  });

  test('lends both, with their modules', async () => {
    const lender = join(folder, 'lender');
    await makeImage(await both());
    await rename(join(folder, 'image'), lender);
    const image = await makeImage({ ...system, 'sbin/modprobe': '', 'sbin/lsmod': '', 'sbin/rmmod': '' });
    const withLender: ImageTree['withLender'] = (use) =>
      use({ digest: `sha256:${'e'.repeat(64)}`, root: lender });
    const { kernel, realKernel, lends } = await prepareBootFiles({ ...image, withLender }, paths);
    assert.deepEqual([kernel, realKernel, lends], [cloud, generic, ['kernel']]);
    assert.equal(await made('vmlinuz-virtual'), `kernel ${cloud}`);
    const [volume = ''] = await readdir(paths.volumes);
    for (const one of [cloud, generic]) {
      const index = `/usr/lib/modules/${one}/modules.dep`;
      assert.match(await run(['dump.erofs', `--path=${index}`, join(paths.volumes, volume)]), /regular file/);
    }
  });
});

describe('a change of an image', () => {
  const changed = `sha256:${'b'.repeat(64)}`;

  test('shares boot files with it, also when that is removed', async () => {
    const image = await makeImage(await kernelFiles());
    await prepareBootFiles(image, paths);
    const before = await Promise.all(names.map((name) => inode(digest, name)));
    await writeFile(join(image.root, 'etc-changed'), 'by the user');
    assert.deepEqual(await prepareBootFiles({ ...image, digest: changed, base: digest }, paths), {
      ...{ kernel: release, bootPlan: 'volumes', models: ['pc-x86-64'], lends: [] },
    });
    assert.deepEqual(await Promise.all(names.map((name) => inode(changed, name))), before);
    await rm(join(paths.bootFiles, digest.slice(7)), { recursive: true });
    assert.deepEqual(await Promise.all(names.map((name) => inode(changed, name))), before);
  });

  for (const path of [`boot/vmlinuz-${release}`, `${modules}/kernel/erofs.ko`, `${modules}/modules.alias`]) {
    test(`has its own when ${path} was replaced, also by one of the same size and age`, async () => {
      const image = await makeImage(await kernelFiles());
      await prepareBootFiles(image, paths);
      const file = join(image.root, path);
      const { atime, mtime, size } = await stat(file);
      await writeFile(`${file}.new`, Buffer.alloc(size, 'x'));
      await utimes(`${file}.new`, atime, mtime);
      await rename(`${file}.new`, file);
      await prepareBootFiles({ ...image, digest: changed, base: digest }, paths);
      for (const name of names) assert.notEqual(await inode(changed, name), await inode(digest, name), name);
    });
  }

  test('has its own when the image is gone', async () => {
    const image = { ...(await makeImage(await kernelFiles())), base: changed };
    assert.equal((await prepareBootFiles(image, paths)).kernel, release);
    assert.equal(await readFile(join(paths.bootFiles, digest.slice(7), 'vmlinuz-pc'), 'utf8'), 'kernel');
  });
});

test('the models that its label names are those that boot it', async () => {
  const image = await makeImage(await kernelFiles());
  const config = { ...image.config, labels: { 'walt.node.models': 'pc-x86-64, my-board' } };
  assert.deepEqual((await prepareBootFiles({ ...image, config }, paths)).models, ['pc-x86-64', 'my-board']);
});

describe('an image without a kernel', () => {
  test('boots nothing where nobody lends one', async () => {
    const prepared = await prepareBootFiles(await makeImage(system), paths);
    assert.deepEqual(prepared, {
      ...{ kernel: null, bootPlan: null, models: ['pc-x86-64'] },
      lends: ['kernel'],
    });
  });

  test('boots the kernel of the image that lends, and gets its modules and what handles them', async () => {
    const lender = join(folder, 'lender');
    await makeImage(await kernelFiles());
    await rename(join(folder, 'image'), lender);
    const image = await makeImage(system);
    await prepareBootFiles(image, paths);
    const withLender: ImageTree['withLender'] = (use) =>
      use({ digest: `sha256:${'e'.repeat(64)}`, root: lender });
    const record = await prepareBootFiles({ ...image, withLender }, paths).catch((error) => error);
    // Its modprobe would be busybox, which comes with programs that this lender does not have.
    assert.match(String(record), /default image has no \/usr\/bin\/env/);

    for (const name of ['modprobe', 'lsmod', 'rmmod']) await writeFile(join(image.root, 'sbin', name), '');
    const prepared = await prepareBootFiles({ ...image, withLender }, paths);
    assert.deepEqual(prepared, {
      ...{ kernel: release, bootPlan: 'volumes', models: ['pc-x86-64'] },
      lends: ['kernel'],
    });
    assert.equal(await readFile(join(paths.bootFiles, 'a'.repeat(64), 'vmlinuz-pc'), 'utf8'), 'kernel');
    const [volume = ''] = await readdir(paths.volumes);
    const index = `/usr/lib/modules/${release}/modules.dep`;
    assert.match(await run(['dump.erofs', `--path=${index}`, join(paths.volumes, volume)]), /regular file/);

    await writeFile(join(paths.volumes, 'lent-tools-0123456789abcdef.erofs'), '');
    await sweepBootFiles(paths);
    assert.deepEqual(await readdir(paths.volumes), [volume], 'what no image needs is swept away');
  });
});

test('a failure leaves nothing behind', async () => {
  const files = await kernelFiles();
  const image = await makeImage({ ...files, [`${modules}/kernel/nfsv4.ko.xz`]: 'not xz' });
  await assert.rejects(prepareBootFiles(image, paths), { code: 'INVALID', message: /nfsv4\.ko\.xz/ });
  assert.deepEqual(await readdir(paths.bootFiles), []);
});

test('what a killed server left half-made is swept away, the rest stays', async () => {
  await mkdir(join(paths.bootFiles, `${'b'.repeat(64)}.0123456789ab.tmp`), { recursive: true });
  await prepareBootFiles(await makeImage({ 'etc/hostname': 'x' }), paths);
  await sweepBootFiles(paths);
  assert.deepEqual(await readdir(paths.bootFiles), ['a'.repeat(64)]);
});
