/**
 * PCs that nobody can tell from real ones: their firmware is their own, and no iPXE is in their adapters. Three boot to a shell, with
 * adapters of which a virtual node's initramfs knows nothing (for that on USB, firmware is played); of the others, it is seen that
 * firmware, loader and script load kernel and initramfs.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { NodeBoot } from '@walt/contract';
import { writeTinySourcesOf } from './arm-image.ts';
import { HTTP_ONLY, Pc, type PcOptions } from './pc/pc.ts';
import { UsbPc } from './pc/usb-pc.ts';
import { Platform } from './platform.ts';
import { until } from './until.ts';

/** Bytes that a PC may load before its own system starts, beside the kernel. */
const MAX_INITRAMFS = 12_000_000;
/** Seconds that an emulated PC may take from its first question to its SSH server. */
const PATIENCE = '280';

let platform: Platform;
let stick: string;
let plugged = 0;

before(async () => {
  platform = await Platform.start();
  stick = join(platform.folder, 'stick.img');
  const { status, stdout, stderr } = await platform.server('usb-image', stick);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /stick\.img is written.*\n.*dd if=/);
});
after(() => platform?.close());

type Kind = Omit<PcOptions, 'mac' | 'stick'> & { hasStick?: boolean };

const macOf = (index: number) => `52:54:00:bb:00:${index.toString(16).padStart(2, '0')}`;

async function plugIn({ hasStick = false, ...kind }: Kind): Promise<Pc> {
  plugged += 1;
  return Pc.start(platform, plugged, { ...kind, mac: macOf(plugged), ...(hasStick && { stick }) });
}

/** The node that a PC has become, once it is one. */
function nodeOf(pc: Pick<Pc, 'mac'>): Promise<string> {
  return until(`${pc.mac} to be a node`, async () => {
    return (await platform.node()).find(({ mac }) => mac === pc.mac)?.name;
  });
}

const card = (name: string) => ['-device', `${name},netdev=net,mac=MAC,romfile=,bootindex=1`];

const WAY = '/bin/walt-network-reboot';
const LEAVE = `#!/bin/sh
/usr/lib/walt/bin/busybox wget -q http://server.walt/left
exec reboot -f`;

/** Its kernel starts the next one: its firmware asks for nothing. */
async function byKexec(name: string, pc: Pc): Promise<void> {
  const { root } = platform;
  const before = pc.questions.length;
  await root.ok('node', 'reboot', name);
  await root.ok('node', 'wait', name, '--timeout', PATIENCE);
  const asked = pc.questions.slice(before);
  assert.deepEqual(
    asked.filter((one) => one.startsWith('dhcp')),
    [],
  );
  assert.ok(asked.includes('http GET /node/kexec'), asked.join('\n'));
  const [boot] = await root.json<NodeBoot[]>('node', 'log', name);
  assert.deepEqual([boot?.generation, boot?.state, boot?.noKexec], [2, 'booted', null]);
  assert.deepEqual(
    boot?.steps.slice(0, 4).map(({ step }) => step),
    ['restart', 'kexec', 'kernel', 'initramfs'],
  );
  assert.match(await root.on(name, 'cat /proc/cmdline'), /^console=tty0 /);
}

/** A reboot is by the image's own program, where it has one. */
async function byItsImage(name: string, pc: Pc): Promise<void> {
  await platform.root.on(name, `echo '${LEAVE}' >${WAY} && chmod +x ${WAY}`);
  await platform.root.ok('node', 'reboot', name);
  await pc.asked(/^http GET \/left$/);
}

const REBOOTS = { 'by kexec': byKexec, 'by its image': byItsImage };

describe('boots to a shell', () => {
  const rows: [what: string, kind: Kind, module: string, questions: RegExp[], way: keyof typeof REBOOTS][] = [
    [
      'BIOS by PXE, Realtek',
      // The boot ROM is that of the adapter.
      { firmware: 'SeaBIOS', card: ['-device', 'rtl8139,netdev=net,mac=MAC,bootindex=1'] },
      '8139cp',
      [/^dhcp PXEClient:Arch:00000:UNDI:\d+$/, /^tftp undionly\.kpxe$/, /^dhcp PXEClient:Arch:00000.* iPXE$/],
      'by kexec',
    ],
    [
      'UEFI from a USB stick, VMware',
      { firmware: 'OVMF', card: card('vmxnet3'), hasStick: true },
      'vmxnet3',
      [/^dhcp PXEClient:Arch:00007.* iPXE$/],
      'by its image',
    ],
  ];
  for (const [what, kind, module, questions, way] of rows) {
    test(`${what}, and reboots ${way}`, async () => {
      await using pc = await plugIn(kind);
      for (const question of questions) await pc.asked(question);
      const name = await nodeOf(pc);
      await platform.root.ok('node', 'wait', name, '--timeout', PATIENCE);
      const size = Number((await pc.asked(/^answer \d+ to http GET \/node\/initramfs$/)).split(' ')[1]);
      assert.ok(size <= MAX_INITRAMFS, `${size} bytes of initramfs`);
      const told = await platform.root.on(
        name,
        'cut -d " " -f 1 /proc/modules; cat /proc/sys/kernel/modprobe',
      );
      const lines = told.trim().split('\n');
      assert.ok(lines.includes(module), told);
      // What the initramfs had in its place is gone.
      assert.equal(lines.at(-1), '/sbin/modprobe');
      await REBOOTS[way](name, pc);
    });
  }
});

test('boots to a shell by an adapter on USB, which stays with its own driver', async () => {
  const { root } = platform;
  await using pc = await UsbPc.plug(platform, macOf(99));
  // Its adapter carries 1 MB/s, and QEMU works hard for it: of an image that is one program, there is little to load.
  const folder = join(root.home, 'tiny');
  await writeTinySourcesOf('/bin/busybox', folder);
  await root.ok('image', 'build', 'tiny', '--from-dir', folder);
  await pc.load(); // it is a node then
  const name = await nodeOf(pc);
  await root.ok('node', 'acquire', name);
  await root.ok('node', 'boot', name, 'tiny');
  const loaded = await pc.load();
  assert.deepEqual(
    loaded.requests.map((path) => path.replace(/[0-9a-f]{64}/, 'DIGEST')),
    ['/boot/ipxe', '/boot/files/DIGEST/vmlinuz-pc', '/node/initramfs'],
  );
  const ended = pc.run(loaded).then(() => assert.fail('the machine was reset or switched off'));
  ended.catch(() => {}); // told below, if nobody booted
  await Promise.race([root.ok('node', 'wait', name, '--timeout', PATIENCE), ended]);
  // An image's own udev also loads what the initramfs has left out.
  const told = await root.on(
    name,
    'modprobe cdc_subset && cd $(dirname /sys/class/net/*/device) && cat address && basename $(readlink device/driver)',
  );
  assert.deepEqual(told.trim().split('\n'), [pc.mac, 'cdc_ether']);
});

describe('loads kernel and initramfs', () => {
  const rows: [what: string, kind: Kind, questions: RegExp[]][] = [
    [
      'UEFI by PXE',
      { firmware: 'OVMF', card: card('virtio-net-pci') },
      [/^dhcp PXEClient:Arch:00007:UNDI:\d+$/, /^tftp snponly\.efi$/],
    ],
    [
      'UEFI by HTTP',
      { firmware: 'OVMF', card: [...card('virtio-net-pci'), ...HTTP_ONLY] },
      [/^dhcp HTTPClient:Arch:00016:UNDI:\d+$/, /^http GET \/snponly\.efi$/],
    ],
    ['BIOS from a USB stick, Intel', { firmware: 'SeaBIOS', card: card('e1000'), hasStick: true }, []],
    ['UEFI from a USB stick, a newer Intel', { firmware: 'OVMF', card: card('e1000e'), hasStick: true }, []],
  ];
  for (const [what, kind, questions] of rows) {
    test(what, async () => {
      await using pc = await plugIn(kind);
      for (const question of questions) await pc.asked(question);
      await pc.asked(/^dhcp PXEClient.* iPXE$/);
      await pc.asked(/^http GET \/boot\/files\/[0-9a-f]{64}\/vmlinuz-pc$/);
      await pc.asked(/^answer \d+ to http GET \/node\/initramfs$/);
      await platform.root.ok('node', 'remove', await nodeOf(pc), '--yes');
    });
  }
});

test('an image for a stick takes the place of nothing', async () => {
  for (const path of [stick, platform.folder, '/dev/null']) {
    const { status, stderr } = await platform.server('usb-image', path);
    assert.deepEqual([status, stderr.includes(path)], [1, true], stderr);
  }
});
