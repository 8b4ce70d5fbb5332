/** What a kernel's archive for PCs holds, of modules and firmware as distributions pack them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { attempt, defaultLimits, isUserError, run } from '../../platform/index.ts';
import { withTree } from '../../trees/index.ts';
import { Packer, unpackModule } from './compressed.ts';
import { firmwareNames } from './firmware.ts';
import { findKernels, writeKernelFiles } from './index.ts';

const modules = 'lib/modules/6.1';
/** As in the section `.modinfo` of a module. */
const info = (...lines: string[]) => `\0\0${lines.map((line) => `${line}\0`).join('')}`;

/** By their paths below `kernel/`; each that nodes may need is packed in another way. */
const FILES: Record<string, string | Uint8Array> = {
  'fs/nfs/nfsv4.ko': 'nfsv4',
  'fs/erofs/erofs.ko': 'erofs',
  'drivers/block/loop.ko': 'loop',
  'fs/overlayfs/overlay.ko': 'overlay',
  'drivers/net/ethernet/realtek/r8169.ko': info(
    'license=GPL',
    'firmware=rtl_nic/a.fw',
    'firmware=rtl_nic/b.fw',
  ),
  'drivers/net/ethernet/maker/card.ko.gz': gzipSync(info('firmware=card.bin', 'firmware=none.bin')),
  'drivers/net/ethernet/maker/other.ko.zst': zstdCompressSync('other'),
  'drivers/net/usb/cdc_ether.ko': 'cdc_ether',
  'drivers/net/usb/usbnet.ko.xz': 'usbnet',
  'drivers/net/usb/cdc_subset.ko': 'cable',
  'drivers/net/usb/cdc-phonet.ko': 'telephone',
  'drivers/net/mii.ko': 'mii',
  'drivers/net/phy/realtek.ko': 'realtek',
  'drivers/usb/host/xhci-pci.ko': 'xhci',
  'drivers/net/wireless/wifi.ko': 'wifi',
  'drivers/net/can/bus.ko': 'can',
};
const NEEDS: Record<string, string> = {
  'drivers/net/usb/cdc_ether.ko': 'kernel/drivers/net/usb/usbnet.ko.xz kernel/drivers/net/mii.ko',
};

const xz = (content: string) =>
  execFileSync('xz', ['--compress', '--stdout', '--check=crc32'], { input: content });

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-modules-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function put(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(folder, 'image', path)), { recursive: true });
  await writeFile(join(folder, 'image', path), content);
}

/** Makes an image of these files, then a kernel's files of it; answers those of its archive for PCs, unpacked. */
async function pack(files: Record<string, string | Uint8Array> = {}): Promise<Map<string, Buffer>> {
  await put('boot/vmlinuz-6.1', 'kernel');
  for (const [path, content] of Object.entries(FILES)) {
    await put(`${modules}/kernel/${path}`, path.endsWith('.xz') ? xz(`${content}`) : content);
  }
  const index = Object.keys(FILES).map((path) => `kernel/${path}: ${NEEDS[path] ?? ''}`.trimEnd());
  await put(`${modules}/modules.dep`, `${index.join('\n')}\n`);
  await put(
    `${modules}/modules.alias`,
    'alias usb:v* cdc_ether\nalias usb:v0525* cdc_subset\nalias mdio:1 realtek\nalias pci:w* wifi\n',
  );
  for (const [path, content] of Object.entries(files)) await put(path, content);
  const made = join(folder, 'made');
  await mkdir(made);
  await withTree(join(folder, 'image'), async (tree) => {
    const kernels = await findKernels(tree);
    assert.ok(kernels);
    const options = { like: undefined, architecture: 'amd64' as const, paths: { bootFiles: folder } };
    await writeKernelFiles(tree, kernels, made, { ...options, limits: defaultLimits() });
  });
  const target = join(folder, 'unpacked');
  await mkdir(target);
  const archive = gunzipSync(await readFile(join(made, 'modules-pc')));
  await run(['busybox', 'cpio', '-i', '-d'], { cwd: target, input: archive });
  const entries = await readdir(target, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(
    await Promise.all(
      paths.map(async (path) => [path.slice(target.length + 1), await readFile(path)] as const),
    ),
  );
}

const namesIn = (archive: Map<string, Buffer>, beginning: string) =>
  [...archive.keys()]
    .filter((path) => path.startsWith(beginning))
    .map((path) => basename(path))
    .sort();

describe('the archive for PCs', () => {
  test('has every wired adapter that the kernel has, what it needs, and nothing else', async () => {
    const archive = await pack();
    assert.deepEqual(namesIn(archive, `${modules}/`), [
      ...[
        'card.ko.xz',
        'cdc_ether.ko.xz',
        'erofs.ko.xz',
        'loop.ko.xz',
        'mii.ko.xz',
        'modules.alias',
        'modules.dep',
      ],
      ...['nfsv4.ko.xz', 'other.ko.xz', 'overlay.ko.xz', 'r8169.ko.xz', 'realtek.ko.xz', 'usbnet.ko.xz'],
      'xhci_pci.ko.xz',
    ]);
    const text = (name: string) => archive.get(`${modules}/modules.${name}`)?.toString();
    assert.equal(text('alias'), 'alias usb:v* cdc_ether\nalias mdio:1 realtek\n');
    assert.match(text('dep') ?? '', /^cdc_ether\.ko: usbnet\.ko mii\.ko$/m);
    assert.ok(archive.has('etc/packed-modules'));
  });

  test('has them where a link leads to a folder whose name is not ASCII', async () => {
    await mkdir(join(folder, 'image/usr/módulos'), { recursive: true });
    await symlink('usr/módulos', join(folder, 'image/lib'));
    assert.ok(namesIn(await pack(), `${modules}/`).includes('card.ko.xz'));
  });

  test('has them packed as busybox unpacks them, however the image has them', async () => {
    const archive = await pack();
    for (const [name, content] of [
      ...[
        ['mii', 'mii'],
        ['other', 'other'],
        ['usbnet', 'usbnet'],
      ],
      ['card', info('firmware=card.bin', 'firmware=none.bin')],
    ] as const) {
      const { status, stdout } = await attempt(['busybox', 'unxz', '-c'], {
        input: archive.get(`${modules}/${name}.ko.xz`) ?? '',
      });
      assert.deepEqual([status, stdout], [0, content], name);
    }
  });

  test('has the firmware that these modules name, as far as the image brings it', async () => {
    const archive = await pack({
      'lib/firmware/rtl_nic/a.fw': 'a',
      'lib/firmware/rtl_nic/c.fw': 'of no module',
      'lib/firmware/card.bin.zst': zstdCompressSync('card'),
      'lib/firmware/rtl_nic/b.fw.xz': xz('b'),
    });
    const found = [...archive].filter(([path]) => path.startsWith('lib/firmware/'));
    assert.deepEqual(
      new Map(found.map(([path, content]) => [path.slice(13), content.toString()])),
      new Map([
        ['card.bin', 'card'],
        ['rtl_nic/a.fw', 'a'],
        ['rtl_nic/b.fw', 'b'],
      ]),
    );
  });

  test('is not made with firmware that cannot be unpacked', async () => {
    const broken = pack({ 'lib/firmware/card.bin.zst': 'broken' });
    await assert.rejects(broken, (error) => isUserError(error) && /card\.bin\.zst/.test(error.message));
  });
});

test('modules are what they were, packed together and unpacked', async () => {
  const contents = new Map([
    ['first', Buffer.from('module'.repeat(100_000))],
    ['--second', Buffer.alloc(0)],
    ['../third', Buffer.from('third')],
  ]);
  const work = join(folder, 'work');
  let packed: Map<string, Buffer>;
  {
    await using packer = await Packer.make(work);
    for (const [name, content] of contents) await packer.add(name, content);
    packed = await packer.pack();
  }
  assert.ok((packed.get('first')?.length ?? Infinity) < 6000);
  for (const [name, bytes] of packed)
    packed.set(name, Buffer.from(await unpackModule(bytes, 'm.ko.xz', 1e6)));
  assert.deepEqual(packed, contents);
  assert.deepEqual(await readdir(folder), []);
});

test('nothing is packed into nothing', async () => {
  await using packer = await Packer.make(join(folder, 'work'));
  assert.equal((await packer.pack()).size, 0);
});

const rows: [name: string, module: string, firmware: string[]][] = [
  ['none', info('license=GPL'), []],
  ['some', info('firmware=a/b-1.2.fw', 'alias=x', 'firmware=c'), ['a/b-1.2.fw', 'c']],
  [
    'what climbs out',
    info('firmware=../../etc/shadow', 'firmware=/etc/shadow', 'firmware=a/../b', 'firmware=a//b'),
    [],
  ],
  [
    'what is no name',
    info('firmware=a b', 'firmware=\x1b[2J', `firmware=${'x'.repeat(300)}`, 'firmware='),
    [],
  ],
];
for (const [name, module, firmware] of rows) {
  test(`firmware that a module names: ${name}`, () => {
    assert.deepEqual(firmwareNames(Buffer.from(module, 'latin1')), firmware);
  });
}
