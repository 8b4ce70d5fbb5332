/** Virtual nodes with ARM CPUs: they boot by DHCP, U-Boot and TFTP, as boards do. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Image, Node } from '@walt/contract';
import { writeArmSources, writeTinySources } from './arm-image.ts';
import { HTTP_ONLY, Pc } from './pc/pc.ts';
import { Platform } from './platform.ts';
import { testRaspberryPis } from './raspberry/tests.ts';

let platform: Platform;

before(async () => {
  platform = await Platform.start({ image: false, nonFree: true });
  await platform.root.ok('advanced', 'update-default-images', '--arch', 'arm64', '--if-missing');
});
after(() => platform?.close());

async function node(name: string): Promise<Node> {
  const found = (await platform.node()).find((one) => one.name === name);
  assert.ok(found, name);
  return found;
}

async function image(name: string): Promise<Image> {
  const found = (await platform.root.json<Image[]>('image', 'show')).find((one) => one.name === name);
  assert.ok(found, name);
  return found;
}

/** Leaves something on the node, boots an image there, and asserts that only /persist was kept. Each such boot takes a minute. */
async function bootForgetting(image: string): Promise<void> {
  const { root } = platform;
  await root.on('arm', `echo gone >/tmp/note; echo before ${image} >/persist/note`);
  await root.ok('node', 'boot', 'arm', image);
  await platform.booted('arm');
  assert.equal(await root.on('arm', 'ls /tmp/note 2>/dev/null; cat /persist/note'), `before ${image}\n`);
}

test('a board boots the default image of its CPU', async () => {
  const { root, paths } = platform;
  // A busy machine takes more than three minutes from such an image's init to its SSH server.
  await root.ok('node', 'create', 'arm', '--model', 'qemu-arm64', 'boot.timeout=none');
  await platform.booted('arm');
  const { model, architecture, bootPlan, image: booted } = await node('arm');
  assert.deepEqual(
    [model, architecture, bootPlan, booted],
    ['qemu-arm64', 'arm64', 'volumes', 'root/arm64-default'],
  );
  const [machine, name, init, root_] = (
    await root.on('arm', 'uname -m; hostname; cat /proc/1/comm; grep " / " /proc/mounts')
  ).split('\n');
  assert.deepEqual([machine, name, init], ['aarch64', 'arm', 'systemd']);
  assert.match(root_ ?? '', /^walt \/ overlay rw,/);
  const console = await readFile(join(paths.virtual, '1', 'console.log'), 'latin1');
  assert.match(console, /U-Boot .*WalT: arm loads its image.*walt: arm is ready after/s);
});

const grubWays: [client: string, options: string[], questions: RegExp[]][] = [
  ['PXE', [], [/^dhcp PXEClient:Arch:00011:UNDI:\d+$/, /^tftp \/?grubnetaa64\.efi$/]],
  ['HTTP client', HTTP_ONLY, [/^dhcp HTTPClient:Arch:00019:UNDI:\d+$/, /^http GET \/grubnetaa64\.efi$/]],
];
for (const [index, [client, options, questions]] of grubWays.entries())
  test(`a machine with UEFI loads GRUB by its own ${client}, then the kernel of the same image`, async () => {
    await using pc = await Pc.start(platform, index + 1, {
      mac: `52:54:00:cc:00:0${index + 1}`,
      firmware: 'AAVMF',
      card: ['-device', 'virtio-net-pci,netdev=net,mac=MAC,romfile=,bootindex=0', ...options],
    });
    for (const question of [...questions, /^tftp \/?grub\/grub\.cfg$/]) await pc.asked(question);
    // All 33 MB of it take minutes on an emulated CPU.
    await pc.asked(/^answer \d+ to http GET \/boot\/files\/[0-9a-f]{64}\/vmlinuz-pc$/);
    const made = (await platform.node()).find(({ mac }) => mac === pc.mac);
    assert.deepEqual([made?.model, made?.image], ['pc-arm64', 'waltplatform/arm64-default']);
    await platform.root.ok('node', 'remove', made?.name ?? '', '--yes');
  });

test('a node is what its image is for, and boots no other', async () => {
  const { root } = platform;
  const refused = await root.walt('node', 'create', 'pc', '--model', 'pc-x86-64', '--image', 'arm64-default');
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /root\/arm64-default is an image for qemu-arm64, .*, not for pc-x86-64/);
  await root.ok('node', 'create', 'second', '--image', 'arm64-default');
  assert.equal((await node('second')).model, 'qemu-arm64');
  await root.ok('node', 'remove', 'second', '--yes');
});

test('an image of one ARM program is lent kernel, init and SSH server', async () => {
  const { root } = platform;
  const folder = join(root.home, 'tiny');
  await writeTinySources(root, 'arm64-default', folder);
  await root.ok('image', 'build', 'tiny', '--arch', 'arm64', '--from-dir', folder);
  assert.deepEqual((await image('tiny')).lends, ['kernel', 'init', 'ssh']);
  await bootForgetting('tiny');
  assert.equal(await root.on('arm', 'cat /tmp/ran'), 'aarch64\n');
});

test('an image made for WalT boots by its own start.uboot, with its tree by NFSv3', async () => {
  const { root } = platform;
  const { kernel } = await image('arm64-default');
  const folder = join(root.home, 'published');
  await writeArmSources(root, 'arm64-default', kernel ?? '', folder);
  await root.ok('image', 'build', 'published', '--from-dir', folder);
  const { bootPlan, models } = await image('published');
  assert.deepEqual([bootPlan, models], ['nfs-root', ['qemu-arm64']]);
  await bootForgetting('published');
  const [file, command] = (await root.on('arm', 'cat /etc/platform /proc/cmdline')).split('\n');
  assert.equal(file, 'server=10.73.0.1');
  assert.match(command ?? '', /nfsroot=10\.73\.0\.1:\/.* init=\/bin\/walt-init ip=10\..* from=qemu-arm64/);
});

testRaspberryPis(() => platform);
