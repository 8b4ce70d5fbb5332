import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { Architecture } from '@walt/contract';
import { LAYOUT } from '../boot-files.ts';
import type { BootTarget, NodeDirectory, Sighting } from '../directory.ts';
import { exampleTarget } from '../example-target.ts';
import { InitArchives } from '../initramfs/index.ts';
import { chooseBoot } from './boot-choice.ts';
import { boardOf, machineOf } from './hardware.ts';
import { ipxeScript } from './ipxe.ts';
import { uBootScript } from './u-boot.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-boot-script-'));
  // Of a busybox, only the head is looked at: 64-bit, for EM_AARCH64.
  const busybox = await readFile('/bin/busybox');
  busybox.writeUInt16LE(183, 18);
  await writeFile(join(folder, 'arm64'), busybox);
});
afterEach(() => rm(folder, { recursive: true }));

/** A directory that knows one target, from the start or once its machine was seen. */
function directory(target: BootTarget | undefined, known: boolean) {
  const sightings: Sighting[] = [];
  const nodes: NodeDirectory = {
    async seen(sighting) {
      sightings.push(sighting);
      return undefined;
    },
    async beginBoot(ip) {
      return known || sightings.length > 0 ? (target?.ip === ip ? target : undefined) : undefined;
    },
    async mayKexec() {
      return undefined;
    },
    async withoutKexec() {},
    async glance() {
      return undefined;
    },
    async waits() {},
    async currentBoot() {
      return undefined;
    },
    async poll() {
      return 'stay';
    },
    asked() {},
    async disproved() {},
    pluggedInto() {},
    async recognize() {},
    reached() {},
    async failed() {
      return undefined;
    },
  };
  return { nodes, sightings };
}

interface Case {
  query?: string;
  /** What a board's U-Boot says of it, instead of what iPXE says. */
  board?: string;
  mac?: string | undefined;
  known?: boolean;
  target?: BootTarget;
  record?: {
    layout?: number;
    kernel: string | null;
    bootPlan: string | null;
    architecture?: Architecture;
    models?: string[];
    walt?: object;
  } | null;
  /** Device trees of the image's kernel. */
  trees?: readonly string[];
}

async function ask(options: Case) {
  const record = options.record === undefined ? { kernel: '6.1', bootPlan: 'volumes' } : options.record;
  if (record) {
    const image = join(folder, 'boot', 'd'.repeat(64));
    await mkdir(image, { recursive: true });
    const all = { layout: LAYOUT, architecture: hostArchitecture(), models: ['pc-x86-64'], ...record };
    await writeFile(join(image, 'boot.json'), JSON.stringify(all));
    const index = Object.fromEntries((options.trees ?? []).map((name) => [name, [0, 0]]));
    await writeFile(join(image, 'device-trees'), `${JSON.stringify(index)}\n`);
  }
  const { nodes, sightings } = directory(options.target ?? exampleTarget, options.known ?? true);
  const query = new URLSearchParams(options.query ?? `mac=${exampleTarget.mac}`);
  const cpu = query.get('cpu');
  const who = { ip: exampleTarget.ip, mac: 'mac' in options ? options.mac : exampleTarget.mac };
  const deps = {
    directory: nodes,
    paths: { bootFiles: join(folder, 'boot') },
    archives: new InitArchives({ busybox: folder }),
  };
  if (options.board !== undefined) {
    const hardware = boardOf(new URLSearchParams(options.board));
    const choice = await chooseBoot({ ...who, hardware, loader: 'start.uboot' }, deps);
    return { script: uBootScript(choice).toString('latin1'), sightings };
  }
  const choice = await chooseBoot(
    {
      ...who,
      claimed: query.get('mac') ?? undefined,
      hardware: cpu === null ? undefined : machineOf(cpu),
      loader: 'start.ipxe',
    },
    deps,
  );
  return { script: ipxeScript(choice, exampleTarget.server), sightings };
}

function waltRecord(scripts: Record<string, string>) {
  return {
    ...{ kernel: '6.1', bootPlan: 'nfs-root', models: Object.keys(scripts) },
    walt: { bin: 'usr/bin', scripts, templates: [], folders: [] },
  };
}

function hostArchitecture(): Architecture {
  return process.arch === 'arm64' ? 'arm64' : 'amd64';
}

describe('a machine gets', () => {
  const rows: [name: string, options: Case, script: RegExp][] = [
    ['its kernel', {}, /^kernel http:.*vmlinuz-virtual .*walt\.mac=52:54:00:00:00:07/m],
    ['its kernel without saying who it is', { query: '' }, /^kernel /m],
    ['a question when it is unknown', { known: false }, /^cpuid --ext 29/m],
    ['its kernel once it has answered', { known: false, query: 'cpu=x86_64' }, /^kernel /m],
    ['a reason for its CPU', { known: false, query: 'cpu=riscv64' }, /no image is made for the CPU riscv64/],
    [
      'a reason when no image fits',
      { known: false, query: 'cpu=i386', target: { ...exampleTarget, ip: '10.73.0.9' } },
      /no image yet that this pc-x86-32 can boot/,
    ],
    ['a reason when it lies', { query: 'mac=52:54:00:00:00:08' }, /not from 52:54:00:00:00:08/],
    ['a reason when it is no neighbour', { mac: undefined }, /came from nowhere/],
    [
      'a question when another machine had its address',
      { target: { ...exampleTarget, mac: '52:54:00:00:00:99' } },
      /^cpuid /m,
    ],
    ['a reason when files are missing', { record: null }, /boot files of vnode1 are missing/],
    [
      'a reason when files are of another server version',
      { record: { layout: 0, kernel: '6.1', bootPlan: 'volumes' } },
      /boot files of vnode1 are missing/,
    ],
    [
      'a reason when the image has no kernel',
      { record: { kernel: null, bootPlan: null } },
      /image of vnode1 has no kernel/,
    ],
    [
      'a reason when the kernel is too old',
      { record: { kernel: '4.9', bootPlan: 'nfs-root' } },
      /kernel 4.9 of the image of vnode1 cannot mount volumes/,
    ],
    [
      'the boot script of its image',
      { record: waltRecord({ 'pc-x86-64': 'start.ipxe' }) },
      /^set model pc-x86-64\nset server_ip 10\.73\.0\.1\n.*\nchain http:\/\/10\.73\.0\.1\/boot\/start\.ipxe /m,
    ],
    [
      'a reason when its image has a boot script for others only',
      { record: waltRecord({ 'rpi-3-b': 'start.uboot' }) },
      /image of vnode1 is for rpi-3-b, not for pc-x86-64/,
    ],
    [
      'a reason when its image boots it by U-Boot',
      { record: waltRecord({ 'pc-x86-64': 'start.uboot' }) },
      /image of vnode1 boots pc-x86-64 by U-Boot only/,
    ],
    [
      'a reason when busybox is missing',
      { record: { kernel: '6.1', bootPlan: 'volumes', architecture: 'armhf' } },
      /no static busybox for armhf/,
    ],
  ];
  for (const [name, options, expected] of rows) {
    test(name, async () => {
      const { script } = await ask(options);
      assert.match(script, expected);
      // Whatever it is told, it asks again in the end.
      assert.match(script, /^chain --replace http:\/\/10\.73\.0\.1\/boot\/ipxe\?mac=/m);
    });
  }
});

const board = 'cpu=armv8&vendor=emulation&fdt=';
const virtualBoard = { ...exampleTarget, model: 'qemu-arm64' };

const armRecord = {
  kernel: '6.1',
  bootPlan: 'volumes',
  architecture: 'arm64' as const,
  models: ['qemu-arm64', 'rpi-3-b'],
};
const nanoPi = {
  board: 'cpu=armv8&vendor=rockchip&fdt=rockchip/rk3568-nanopi-r5c.dtb',
  target: { ...exampleTarget, model: 'nanopi-r5c' },
  record: { ...armRecord, models: ['qemu-arm64'] },
};
const pi = { ...exampleTarget, model: 'rpi-3-b' };

describe('a board gets', () => {
  const rows: [name: string, options: Case, script: RegExp][] = [
    [
      'its kernel',
      { target: virtualBoard, record: { kernel: '6.1', bootPlan: 'volumes', models: ['qemu-arm64'] } },
      /\nsetenv bootargs 'console=ttyAMA0,.* walt\.mac=52:54:00:00:00:07'\nif tftpboot .*kernel_addr_r.* boot\/files\/d+\/vmlinuz-virtual; /,
    ],
    [
      'a question when it is unknown',
      { known: false, board: '' },
      /no image is made for this board \(CPU , /,
    ],
    [
      'a reason when its image is for others',
      { target: virtualBoard },
      /image of vnode1 is for pc-x86-64, not for qemu-arm64/,
    ],
    [
      'the boot script of its image',
      { target: virtualBoard, record: waltRecord({ 'qemu-arm64': 'start.uboot' }) },
      /\nsetenv model qemu-arm64\n.*\nif tftpboot \$\{scriptaddr\} start\.uboot; then source /s,
    ],
    [
      'a reason when its image boots it by iPXE',
      { target: virtualBoard, record: waltRecord({ 'qemu-arm64': 'start.ipxe' }) },
      /image of vnode1 boots qemu-arm64 by iPXE only/,
    ],
    [
      'its device tree with its kernel',
      { target: pi, record: armRecord, trees: ['broadcom/bcm2837-rpi-3-b.dtb'] },
      /\nif tftpboot \$\{fdt_addr_r\} boot\/files\/d+\/device-trees\/broadcom\/bcm2837-rpi-3-b\.dtb; then .* \$\{fdt_addr_r\}; else bootz/,
    ],
    [
      'a reason when its kernel has no device tree for it',
      { target: pi, record: armRecord, trees: ['broadcom/bcm2711-rpi-4-b.dtb'] },
      /kernel 6.1 of the image of vnode1 has no device tree for rpi-3-b \(bcm2837-rpi-3-b.dtb or/,
    ],
    [
      'its device tree though nobody has heard of such a board',
      { ...nanoPi, trees: ['rockchip/rk3568-nanopi-r5c.dtb'] },
      /device-trees\/rockchip\/rk3568-nanopi-r5c\.dtb; then/,
    ],
    [
      'a reason when nobody has heard of it and its kernel has not, either',
      { ...nanoPi, trees: ['rockchip/rk3399-nanopi-r4s.dtb'] },
      /has no device tree for nanopi-r5c \(rk3568-nanopi-r5c\.dtb\)/,
    ],
    [
      'a reason when it names a device tree outside of their folder',
      {
        ...nanoPi,
        board: 'cpu=armv8&vendor=rockchip&fdt=../../rk3568-nanopi-r5c.dtb',
        trees: ['rk3568-nanopi-r5c.dtb'],
      },
      /is for qemu-arm64, not for nanopi-r5c/,
    ],
    [
      'a reason when its CPU is another one than its image is for',
      { ...nanoPi, record: { ...nanoPi.record, architecture: 'armhf' }, trees: ['rk3568-nanopi-r5c.dtb'] },
      /is for qemu-arm64, not for nanopi-r5c/,
    ],
    [
      'a reason when its U-Boot is for 64 bits and its image is not',
      { target: pi, record: { ...armRecord, architecture: 'armhf' }, trees: ['bcm2837-rpi-3-b.dtb'] },
      /image of vnode1 is for armhf, and the U-Boot of this rpi-3-b starts kernels for arm64/,
    ],
    [
      'a reason for its CPU',
      { known: false, board: 'cpu=fu740&vendor=sifive&fdt=sifive/unmatched.dtb' },
      /no image is made for this board \(CPU fu740, vendor sifive, device tree sifive\/unmatched\.dtb\)/,
    ],
  ];
  for (const [name, options, expected] of rows) {
    test(name, async () => {
      const { script } = await ask({ board, ...options });
      assert.match(script, expected);
      assert.match(script, /\nreset\n$/);
    });
  }
});

describe('boards are registered by the name of their device tree', () => {
  const rows = [
    ['cpu=armv8&vendor=emulation&fdt=', 'qemu-arm64', 'arm64'],
    ['cpu=armv7&vendor=emulation&fdt=', 'qemu-armhf', 'armhf'],
    ['cpu=armv8&vendor=raspberrypi&fdt=broadcom/bcm2837-rpi-3-b-plus.dtb', 'rpi-3-b-plus', 'arm64'],
    ['cpu=arm1176&vendor=raspberrypi&fdt=bcm2835-rpi-b.dtb', 'rpi-b', 'armhf'],
    ['cpu=armv8&vendor=rockchip&fdt=rockchip/rk3568-nanopi-r5c.dtb', 'nanopi-r5c', 'arm64'],
    ['cpu=armv8&vendor=raspberrypi&fdt=broadcom/bcm2711-rpi-cm4-io.dtb', 'rpi-cm4', 'arm64'],
    ['cpu=armv8&vendor=raspberrypi&fdt=&type=0x11', 'rpi-4-b', 'arm64'],
    ['cpu=armv8&vendor=raspberrypi&fdt=../../x/bcm2711-rpi-400.dtb', 'rpi-400', 'arm64'],
  ] as const;
  for (const [said, model, architecture] of rows) {
    test(model, async () => {
      const { sightings } = await ask({
        known: false,
        board: said,
        target: { ...virtualBoard, ip: '10.73.0.9' },
      });
      assert.deepEqual(sightings, [{ ip: exampleTarget.ip, mac: exampleTarget.mac, architecture, model }]);
    });
  }
});

test('a new machine is registered with what it really is', async () => {
  const { sightings } = await ask({ known: false, query: `mac=${exampleTarget.mac}&cpu=x86_64` });
  const { ip, mac } = exampleTarget;
  assert.deepEqual(sightings, [{ ip, mac, architecture: 'amd64', model: 'pc-x86-64' }]);
});
