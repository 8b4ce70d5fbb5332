import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { run } from '../../platform/index.ts';
import { readBootRecord } from '../boot-files.ts';
import { Trees } from '../lending/index.ts';
import { prepareBootFiles } from '../prepare.ts';
import { preferredName, requireServerVersion } from './walt-image.ts';

const digest = `sha256:${'a'.repeat(64)}`;
const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
const MODELS = { 'walt.node.models': 'pc-x86-64, rpi-3-b,rpi-4-b' };

let folder: string;
let paths: { bootFiles: string; volumes: string; busybox: string };
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-walt-image-'));
  paths = {
    bootFiles: join(folder, 'boot'),
    volumes: join(folder, 'volumes'),
    busybox: join(folder, 'busybox'),
  };
  await addFiles({
    'usr/bin/env': 'env',
    'sbin/init': 'init',
    'etc/walt/image.spec':
      '{ "templates": ["/etc/platform", "/boot/common/start", "/gone"], "features": { "ptp": "/bin/use-ptp" } }',
    'etc/platform': 'at %(server_ip)s',
    'boot/common/start': '#!ipxe\n# %(walt_image_id)s\n',
    'boot/common/kernel': 'kernel',
    'boot/rpi-3-b/start.uboot': 'script',
  });
  await mkdir(join(folder, 'image/boot/pc-x86-64'));
  await addLinks({
    bin: 'usr/bin',
    'boot/pc-x86-64/start.ipxe': '/boot/common/start',
    'boot/pc-x86-64/vmlinuz': '../common/kernel',
    'boot/rpi-3-b/kernel': '/boot/common/kernel',
    'boot/rpi-3-b/server': join(folder, 'secret'),
    'boot/rpi-3-b/circle': '.',
  });
  await writeFile(join(folder, 'secret'), 'of the server');
});
afterEach(() => rm(folder, { recursive: true }));

async function addFiles(files: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, 'image', path)), { recursive: true });
    await writeFile(join(folder, 'image', path), content);
  }
}

async function addLinks(links: Record<string, string>): Promise<void> {
  for (const [path, target] of Object.entries(links)) await symlink(target, join(folder, 'image', path));
}

const prepare = (labels: Record<string, string>) =>
  prepareBootFiles(
    {
      ...{ digest, architecture, root: join(folder, 'image'), withLender: async () => undefined },
      config: { entrypoint: [], cmd: [], env: [], workdir: '', user: '', labels },
    },
    paths,
  );

/** A path below the image's boot files. */
const made = (...path: string[]) => join(paths.bootFiles, 'a'.repeat(64), ...path);

describe('an image with label and boot scripts', () => {
  test('mounts its tree, and boots the models that it has a script for', async () => {
    const boot = await prepare(MODELS);
    assert.deepEqual(boot, {
      ...{ kernel: 'own', bootPlan: 'nfs-root', models: ['pc-x86-64', 'rpi-3-b'], lends: [] },
    });
  });

  test('has what nodes load copied, links followed inside the image only', async () => {
    await prepare(MODELS);
    assert.equal(await readFile(made('walt/pc-x86-64/vmlinuz'), 'utf8'), 'kernel');
    assert.equal(await readFile(made('walt/rpi-3-b/kernel'), 'utf8'), 'kernel');
    // Models share one copy.
    assert.ok((await stat(made('walt/rpi-3-b/kernel'))).nlink > 1);
    assert.ok(!(await readdir(made('walt/rpi-3-b'))).includes('server'));
    const record = await readBootRecord(paths, digest);
    assert.deepEqual(
      record?.walt?.templates.map(({ path, served }) => [path, served]),
      [
        ['etc/platform', []],
        ['boot/common/start', ['pc-x86-64/start.ipxe']],
      ],
    );
  });

  test('gives nobody its set-user-ID files: copies and templates have no more than permissions', async () => {
    await addFiles({ 'boot/rpi-3-b/shell': '#!/bin/sh' });
    for (const path of ['boot/rpi-3-b/shell', 'boot/common/kernel', 'etc/platform']) {
      await chmod(join(folder, 'image', path), 0o6755);
    }
    await prepare(MODELS);
    for (const path of ['rpi-3-b/shell', 'rpi-3-b/kernel', 'pc-x86-64/vmlinuz']) {
      assert.equal((await stat(made('walt', path))).mode & 0o7111, 0, path);
    }
    for (const path of [made('walt'), made(), paths.bootFiles]) {
      assert.equal((await stat(path)).mode & 0o7000, 0, path);
    }
    assert.equal((await stat(paths.bootFiles)).mode & 0o777, 0o700);
    const record = await readBootRecord(paths, digest);
    assert.equal(record?.walt?.templates[0]?.mode, 0o755);
  });

  test('has the rest of its /boot copied beside it, but no folder and nothing from elsewhere twice', async () => {
    await addFiles({ 'boot/config-6.1': 'settings', 'boot/grub/grub.cfg': 'menu' });
    await addLinks({ 'boot/vmlinuz': 'common/kernel', 'boot/root': '/' });
    await prepare(MODELS);
    assert.deepEqual((await readdir(made('walt'))).sort(), ['config-6.1', 'pc-x86-64', 'rpi-3-b', 'vmlinuz']);
    assert.equal((await stat(made('walt/vmlinuz'))).ino, (await stat(made('walt/rpi-3-b/kernel'))).ino);
  });

  test('is no such image without the label, or without a script of a model in it', async () => {
    assert.equal((await prepare({})).kernel, null);
    await rm(made(), { recursive: true });
    assert.equal((await prepare({ 'walt.node.models': 'rpi-4-b' })).kernel, null);
  });

  test('is refused when its image.spec is broken, and nothing is left', async () => {
    await addFiles({ 'etc/walt/image.spec': '{' });
    await assert.rejects(prepare(MODELS), { code: 'INVALID', message: /image\.spec/ });
    assert.deepEqual(await readdir(paths.bootFiles), []);
  });
});

describe('a kernel that is a link to nowhere', () => {
  const script = (text: string) => addFiles({ 'boot/common/start': `#!ipxe\n${text}\nboot\n` });
  const rows: [name: string, line: string, target: string][] = [
    // As upstream's recipe for PCs has it: /boot/MODEL/kernel → ../common/kernel → ../../vmlinuz → boot/vmlinuz-RELEASE.
    ['kernel', `kernel \${urlprefix}/kernel initrd=initrd \${bootargs} || reboot`, '../common/missing'],
    ['vmlinuz-6.1', `kernel http://\${next-server}/boot/vmlinuz-6.1 quiet`, '/vmlinuz'],
  ];
  for (const [name, line, target] of rows) {
    test(`is told when the image is made: ${name} → ${target}`, async () => {
      await script(line);
      await addLinks({ [`boot/pc-x86-64/${name}`]: target });
      await assert.rejects(prepare(MODELS), {
        ...{ code: 'INVALID', hint: /Install a kernel/ },
        message: `Nodes of the model pc-x86-64 would find no kernel: /boot/pc-x86-64/${name} is a link to ${target}, where nothing is.`,
      });
      assert.deepEqual(await readdir(paths.bootFiles), []);
    });
  }

  test('matters only where a boot script names it; other links to nowhere never do', async () => {
    await script(`kernel vmlinuz\ninitrd \${urlprefix}/initrd || echo No initrd found`);
    await addLinks({
      'boot/pc-x86-64/vmlinuz.old': '../vmlinuz-5.10',
      'boot/pc-x86-64/initrd': '../../initrd.img',
      'boot/pc-x86-64/overlays.txt': '/nowhere',
    });
    assert.equal((await prepare(MODELS)).bootPlan, 'nfs-root');
  });
});

test('such an image without an init is refused', async () => {
  await rm(join(folder, 'image/sbin/init'));
  await assert.rejects(prepare(MODELS), { code: 'INVALID', message: /no init/ });
});

describe('the tree of such an image', () => {
  const layers = ['sha256:1', 'sha256:2', 'sha256:1'];
  const trees = (server: string) =>
    new Trees({
      ...{ paths, address: { server, mac: '02:00:00:00:00:01' } },
      treeVolumes: async (diffIds) => diffIds.map((diffId) => `/volumes/${diffId}`),
    });
  /** What nodes see of a layer's file system, with its modes. */
  const unpacked = async (image = '') => {
    const target = await mkdtemp(join(folder, 'unpacked-'));
    await run(['debugfs', '-R', `rdump /diff ${target}`, image]);
    return join(target, 'diff');
  };
  const of = (server: string) => trees(server).of({ digest, layers, size: 4000 });

  test('is its layers, each once, below what the platform adds', async () => {
    await prepare(MODELS);
    const tree = await of('10.73.0.1');
    assert.deepEqual(tree?.lower.slice(1), ['/volumes/sha256:1', '/volumes/sha256:2']);
    const top = await unpacked(tree?.lower[0]);
    assert.equal(await readFile(join(top, 'etc/platform'), 'utf8'), 'at 10.73.0.1');
    assert.match(
      await readFile(join(top, 'usr/bin/walt-env'), 'utf8'),
      /^export walt_server_ip=10\.73\.0\.1$/m,
    );
    assert.match(await readFile(join(top, 'usr/bin/walt-env'), 'utf8'), /^export walt_image_size_kib=4$/m);
    assert.equal((await stat(join(top, 'usr/bin/walt-init'))).mode & 0o777, 0o755);
    assert.deepEqual(
      await readFile(join(top, 'usr/bin/busybox')),
      await readFile(join(top, 'usr/bin/_walt_internal_/busybox')),
    );
    const mode = await run(['debugfs', '-R', 'stat /diff/tmp', tree?.lower[0] ?? '']);
    assert.match(mode, /Type: directory +Mode: +01777 /);
    assert.ok((await stat(join(top, 'persist'))).isDirectory());
  });

  test('has the busybox of the image where there is one', async () => {
    await addFiles({ 'usr/bin/busybox': 'of the image' });
    await prepare(MODELS);
    const top = await unpacked((await of('10.73.0.1'))?.lower[0]);
    await assert.rejects(stat(join(top, 'usr/bin/busybox')), { code: 'ENOENT' });
  });

  test('is another one when the server’s address is another, and the same when nothing changed', async () => {
    await prepare(MODELS);
    const [first, second, again] = [await of('10.73.0.1'), await of('10.9.0.1'), await of('10.73.0.1')];
    assert.notEqual(first?.name, second?.name);
    assert.deepEqual(first, again);
  });

  test('outlives the boot files of an older server: nodes that run have their root in it', async () => {
    await prepare(MODELS);
    const tree = await of('10.73.0.1');
    const { ino } = await stat(tree?.lower[0] ?? '');
    const record = JSON.parse(await readFile(made('boot.json'), 'utf8'));
    await writeFile(made('boot.json'), JSON.stringify({ ...record, layout: record.layout - 1 }));
    await prepare(MODELS);
    assert.deepEqual(await of('10.73.0.1'), tree);
    assert.equal((await stat(tree?.lower[0] ?? '')).ino, ino);
  });

  test('is none for other images', async () => {
    await prepare(MODELS);
    await rm(made(), { recursive: true });
    await prepare({});
    assert.equal(await of('10.73.0.1'), undefined);
  });
});

describe('labels', () => {
  const version = (wanted: string) => ({ 'walt.server.minversion': wanted });
  for (const wanted of ['8', '8.2', '11', '11.0.0', '9.99', 'next', '']) {
    test(`a server 11.0.0 takes an image for "${wanted}"`, () =>
      requireServerVersion(version(wanted), '11.0.0'));
  }
  for (const wanted of ['11.0.1', '12', '11.1']) {
    test(`a server 11.0.0 refuses an image for "${wanted}"`, () => {
      assert.throws(() => requireServerVersion(version(wanted), '11.0.0'), {
        ...{ code: 'INVALID', message: `This image needs WalT ${wanted} or newer; this server is 11.0.0.` },
      });
    });
  }
  test('a preferred name', () => {
    assert.equal(preferredName({ 'walt.image.preferred-name': ' pc-default ' }), 'pc-default');
    assert.equal(preferredName({ 'walt.image.preferred-name': '' }), undefined);
    assert.equal(preferredName({}), undefined);
  });
});
