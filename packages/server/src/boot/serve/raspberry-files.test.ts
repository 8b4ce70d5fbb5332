import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { LAYOUT } from '../boot-files.ts';
import type { BootTarget, Glance, NodeDirectory, Sighting } from '../directory.ts';
import { exampleTarget } from '../example-target.ts';
import { InitArchives, Reads } from '../initramfs/index.ts';
import { NodeFiles } from './node-files.ts';
import { RaspberryFiles } from './raspberry-files.ts';

const IP = '10.73.0.2';
const MAC = 'b8:27:eb:00:00:01';
const SERIAL = '00000001';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-raspberry-'));
  await mkdir(join(folder, 'busybox'));
  // Only its head is looked at: a 64-bit program for EM_AARCH64.
  const busybox = await readFile('/bin/busybox');
  busybox.writeUInt16LE(183, 18);
  await writeFile(join(folder, 'busybox', 'arm64'), busybox);
  await writeFile(join(folder, 'start.elf'), 'start');
  await addImage(
    'd',
    { models: ['rpi-3-b', 'rpi-4-b'] },
    { 'broadcom/bcm2837-rpi-3-b.dtb': '3B', 'bcm2711-rpi-4-b.dtb': '4B' },
  );
  // One for EM_ARM.
  busybox.writeUInt8(1, 4);
  busybox.writeUInt16LE(40, 18);
  await writeFile(join(folder, 'busybox', 'armhf'), busybox);
  // As Debian's linux-image-…-armmp has them: without folders.
  await addImage(
    'a',
    { architecture: 'armhf', models: ['rpi-2-b', 'rpi-3-b'] },
    { 'bcm2836-rpi-2-b.dtb': '2B', 'bcm2837-rpi-3-b.dtb': '3B' },
  );
  await addImage('e', { architecture: 'armhf', models: ['qemu-armhf'] }, {});
});
after(() => rm(folder, { recursive: true }));

async function addImage(digit: string, record: object, trees: Record<string, string>): Promise<void> {
  const image = join(folder, 'boot', digit.repeat(64));
  await mkdir(image, { recursive: true });
  const all = { layout: LAYOUT, architecture: 'arm64', kernel: '6.1', bootPlan: 'volumes', ...record };
  await writeFile(join(image, 'boot.json'), JSON.stringify(all));
  await writeFile(join(image, 'vmlinuz-raspberry-pi'), 'kernel');
  await writeFile(join(image, 'modules-raspberry-pi'), 'modules');
  const index = Object.fromEntries(Object.keys(trees).map((name, i) => [name, [2 * i, 2]]));
  await writeFile(join(image, 'device-trees'), `${JSON.stringify(index)}\n${Object.values(trees).join('')}`);
}

/** A directory with one node, or none yet, and what it was told. */
class Nodes implements NodeDirectory {
  readonly sightings: Sighting[] = [];
  begun = 0;
  isBooting = false;
  target: BootTarget;
  #known: boolean;

  constructor(known: boolean, target: Partial<BootTarget> = {}) {
    this.#known = known;
    this.target = { ...exampleTarget, ip: IP, mac: MAC, model: 'rpi-3-b', isVirtual: false, ...target };
  }

  asked(): void {}
  async disproved(): Promise<void> {}
  pluggedInto(): void {}

  reached(): void {}

  async failed(): Promise<undefined> {}

  async mayKexec(): Promise<undefined> {}
  async withoutKexec(): Promise<void> {}

  async recognize(): Promise<void> {}

  async glance(): Promise<Glance | undefined> {
    const { name, mac, model, digest } = this.target;
    return this.#known ? { name, mac, model, digest, isBooting: this.isBooting } : undefined;
  }

  readonly waiting: (string | undefined)[] = [];
  async waits(_mac: string, reason: string | undefined): Promise<void> {
    this.waiting.push(reason);
  }

  async seen(sighting: Sighting): Promise<undefined> {
    this.sightings.push(sighting);
    this.target = { ...this.target, model: sighting.model };
    this.#known = true;
  }

  async beginBoot(): Promise<BootTarget | undefined> {
    if (!this.#known) return undefined;
    this.begun += 1;
    this.isBooting = true;
    return this.target;
  }

  async currentBoot(): Promise<BootTarget | undefined> {
    return this.isBooting ? this.target : undefined;
  }

  async poll(): Promise<'stay'> {
    return 'stay';
  }
}

function filesFor(directory: Nodes): (path: string, mac?: string) => Promise<string | undefined> {
  const paths = {
    ...{ bootFiles: join(folder, 'boot'), busybox: join(folder, 'busybox') },
    ...{ reads: join(folder, 'reads'), volumes: join(folder, 'volumes'), loaders: [] },
  };
  const parts = { directory, paths, archives: new InitArchives(paths), reads: new Reads(paths) };
  const files = new NodeFiles({ ...parts, address: { server: '10.73.0.1', mac: '02:00:00:00:00:01' } });
  const firmware = { file: async (name: string) => (name === 'start.elf' ? join(folder, name) : undefined) };
  const raspberry = new RaspberryFiles({ ...parts, files, firmware });
  return async (path, mac = MAC) => {
    const download = await raspberry.open(IP, mac, path);
    if (!download) return undefined;
    assert.equal(download.isSentOnce, true, path);
    return (await buffer(download.content)).toString('latin1');
  };
}

test('a board with a 64-bit CPU boots a 32-bit image', async () => {
  const nodes = new Nodes(true, { digest: `sha256:${'a'.repeat(64)}` });
  const get = filesFor(nodes);
  assert.equal(await get(`${SERIAL}/start.elf`), 'start');
  assert.match((await get(`${SERIAL}/config.txt`)) ?? '', /^arm_64bit=0$/m);
  assert.equal(await get(`${SERIAL}/bcm2710-rpi-3-b.dtb`), '3B');
  assert.match((await get(`${SERIAL}/cmdline.txt`)) ?? '', / walt\.mac=b8:27:eb:00:00:01\n$/);
  assert.equal(await get(`${SERIAL}/vmlinuz`), 'kernel');
  assert.match((await get(`${SERIAL}/initramfs`)) ?? '', /modules/);
});

test('the device tree that its firmware asks for tells what a new board is, and begins its boot', async () => {
  const nodes = new Nodes(false);
  const get = filesFor(nodes);
  assert.equal(await get(`${SERIAL}/start.elf`), 'start');
  assert.match((await get(`${SERIAL}/config.txt`)) ?? '', /^kernel=vmlinuz$/m);
  assert.deepEqual([nodes.sightings, nodes.begun], [[], 0]);
  assert.equal(await get(`${SERIAL}/bcm2710-rpi-3-b.dtb`), '3B');
  assert.deepEqual(nodes.sightings, [{ ip: IP, mac: MAC, model: 'rpi-3-b', architecture: 'arm64' }]);
  assert.match((await get(`${SERIAL}/cmdline.txt`)) ?? '', / walt\.mac=b8:27:eb:00:00:01\n$/);
  assert.equal(await get(`${SERIAL}/vmlinuz`), 'kernel');
  assert.match((await get(`${SERIAL}/initramfs`)) ?? '', /modules/);
  assert.equal(await get(`${SERIAL}/bcm2710-rpi-3-b.dtb`), '3B');
  assert.equal(nodes.begun, 1, 'all of it is one boot');
  await get(`${SERIAL}/start.elf`);
  await get(`${SERIAL}/cmdline.txt`);
  await get(`${SERIAL}/vmlinuz`);
  assert.equal(nodes.begun, 2, 'it was switched off and on');
});

describe('a boot of a known board begins with', () => {
  for (const name of ['bcm2710-rpi-3-b.dtb', 'cmdline.txt', 'vmlinuz', 'initramfs']) {
    test(name, async () => {
      const nodes = new Nodes(true);
      assert.ok(await filesFor(nodes)(`${SERIAL}/${name}`));
      assert.equal(nodes.begun, 1);
    });
  }
});

describe('firmware is told at once that there is no', () => {
  const names = [
    'recovery.elf',
    'bootcfg.txt',
    'overlays/overlay_map.dtb',
    'armstub8.bin',
    'bcm2835-rpi-b.dtb',
  ];
  for (const name of names) {
    test(name, async () => {
      const nodes = new Nodes(true);
      assert.equal(await filesFor(nodes)(`${SERIAL}/${name}`), undefined);
      assert.equal(nodes.begun, 0);
    });
  }
});

describe('a board that cannot boot gets nothing that would start it, and asks again', () => {
  const rows: [name: string, target: Partial<BootTarget>, asked: string, reason: RegExp][] = [
    [
      'an image for another board',
      { digest: `sha256:${'e'.repeat(64)}` },
      'bcm2710-rpi-3-b.dtb',
      /no device tree for rpi-3-b/,
    ],
    [
      'an image whose files are gone',
      { digest: `sha256:${'f'.repeat(64)}` },
      'bcm2710-rpi-3-b.dtb',
      /boot files .* are missing/,
    ],
    [
      'a kernel without its device tree',
      { model: 'rpi-5-b' },
      'bcm2712-rpi-5-b.dtb',
      /no device tree for rpi-5-b/,
    ],
  ];
  for (const [name, target, deviceTree, reason] of rows) {
    test(name, async () => {
      const nodes = new Nodes(true, target);
      const get = filesFor(nodes);
      for (const file of ['start.elf', 'config.txt', deviceTree, 'cmdline.txt', 'vmlinuz', 'initramfs'])
        assert.equal(await get(`${SERIAL}/${file}`), undefined, file);
      assert.match(nodes.waiting.at(-1) ?? '', reason);
    });
  }
});

test('firmware of another model than the node has gets no device tree', async () => {
  const nodes = new Nodes(true);
  assert.equal(await filesFor(nodes)(`${SERIAL}/bcm2711-rpi-4-b.dtb`), undefined);
  assert.equal(nodes.begun, 0);
});

test('other machines get none of it', async () => {
  const get = filesFor(new Nodes(false));
  for (const file of ['config.txt', 'start.elf', 'cmdline.txt'])
    assert.equal(await get(file, '52:54:00:00:00:01'), undefined);
});
