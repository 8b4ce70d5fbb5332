/** A node that boots from a disk of its own. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { DiskState, ImageDetails } from '@walt/contract';
import { DEFAULT_IMAGE, type Platform } from '../platform.ts';
import { copied, HYBRID_DISK, leavePlatform, usePlatform } from '../shared-platform.ts';
import { until } from '../until.ts';

let platform: Platform;

before(async () => {
  platform = await usePlatform();
  // node-state.ts leaves a node that has booted from its disk.
  if (!(await platform.node()).some(({ name }) => name === 'beta'))
    await platform.root.ok('node', 'create', 'beta', `disks=1G[template=ext4],2G,${HYBRID_DISK}`);
  await platform.booted('beta');
  // A second attempt would leave the disk out.
  await platform.root.ok('node', 'config', 'beta', 'boot.timeout=none', 'mount.persist=default');
  if ((await beta()).bootMode !== 'network') return;
  await copied(platform, 'beta');
  await reboot();
});
after(async () => {
  try {
    await platform.root.ok('node', 'config', 'beta', 'boot.timeout=default');
  } finally {
    await leavePlatform();
  }
});

async function beta() {
  const found = (await platform.node()).find(({ name }) => name === 'beta');
  assert.ok(found);
  return found;
}

async function reboot(): Promise<void> {
  await platform.root.ok('node', 'reboot', 'beta');
  await platform.booted('beta');
}

/** Runs `commands` on the node in the folder of its disk: the third one, with which node-state.ts leaves it. */
function onDisk(commands: string): Promise<string> {
  return platform.root.on(
    'beta',
    `mkdir -p /run/disk
mount /dev/vdc1 /run/disk && cd /run/disk/walt_hybrid
${commands}
cd / && umount /run/disk`,
  );
}

test('a node whose disk has its image reads next to nothing of it over the network', async () => {
  const { root } = platform;
  assert.equal((await beta()).bootMode, 'hybrid-volatile');
  const { stack } = await root.json<ImageDetails>('image', 'show', DEFAULT_IMAGE);
  const size = stack.reduce((sum, { volume }) => sum + (volume ?? 0), 0);
  const received = Number(await root.on('beta', 'cat /sys/class/net/eth0/statistics/rx_bytes'));
  assert.ok(received < size / 100, `it received ${received} bytes since it started; the image has ${size}`);
  assert.equal(await root.on('beta', '. walt-env && echo $walt_boot_mode'), 'hybrid-volatile\n');
  await copied(platform, 'beta');
  assert.match(await root.ok('node', 'show'), /hybrid-volatile/);
  assert.match(await root.ok('node', 'show', 'beta'), /boot mode +hybrid-volatile\nhybrid disk +complete/);
});

test('in mode hybrid-persistent, what was written earlier above the same image is there, and goes on', async () => {
  const { root } = platform;
  const kept = `kept/${(await beta()).running?.replace('sha256:', '')}`;
  await root.on('beta', 'echo lost >/root/lost');
  const earlier = `${kept}/changes/root/earlier`;
  // A program that systemd starts as soon as local file systems are there.
  const unit = `[Unit]
DefaultDependencies=no
After=local-fs.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c "echo early >/persist/early"`;
  await onDisk(`set -e
mkdir -p ${kept}/changes/root ${kept}/changes/tmp ${kept}/changes/etc/systemd/system/sysinit.target.wants
echo 1 >${earlier}
echo 2 >${kept}/changes/tmp/earlier
echo '${unit}' >${kept}/changes/etc/systemd/system/early.service
ln -s ../early.service ${kept}/changes/etc/systemd/system/sysinit.target.wants/
touch .persistent`);
  await reboot();
  assert.equal((await beta()).bootMode, 'hybrid-persistent');
  assert.equal(await root.on('beta', 'ls /root/lost /tmp/earlier 2>/dev/null; cat /root/earlier'), '1\n');
  assert.equal(
    await root.on('beta', 'stat -f -c %T /persist && cat /persist/early && rm /persist/early'),
    'nfs\nearly\n',
  );
  await root.on('beta', 'echo now >/root/now && rm /root/earlier');
  assert.match(await root.ok('node', 'save', 'beta', 'kept', '--dry-run'), /root\/now/);
  // Tests that come later expect a node that forgets.
  const told = await onDisk(`rm .persistent; cat ${kept}/changes/root/now; ls ${earlier} || echo none`);
  assert.equal(told, 'now\nnone\n');
});

/** All that the disk has, but what says when it was read. */
const LISTING = "ls -lRn --time-style=full-iso . | grep -v '^total '";

test('the disk of another platform is left as it is: the node boots by network', async () => {
  const before = await onDisk(`echo other >platform; ${LISTING}`);
  await reboot();
  assert.equal((await beta()).bootMode, 'network');
  await until('beta to tell of its disk', async () => (await beta()).hybridDisk === 'foreign');
  const words = /Its hybrid disk is another platform's.*delete walt_hybrid\/platform/;
  assert.match(await platform.root.ok('node', 'show', 'beta'), words);
  assert.equal(await onDisk(LISTING), before);
  // As the words say.
  await onDisk('rm platform');
});

/** Waits until the node tells such a disk; answers what users read of it. */
async function told(state: DiskState): Promise<string> {
  await until(`beta to tell a disk that is ${state}`, async () => (await beta()).hybridDisk === state);
  return platform.root.ok('node', 'show', 'beta');
}

test('of disks made by hand, FAT32 is passed over; rubbish in the folder stays as it is: the node boots by network', async () => {
  const { root } = platform;
  const rubbish = `mount /dev/vdb /mnt && cd /mnt/walt_hybrid && ${LISTING} && cat volumes; cd /; umount /mnt`;
  await root.on(
    'beta',
    `set -e
/usr/lib/walt/bin/busybox mkdosfs /dev/vda1
mount -t vfat /dev/vda1 /mnt && mkdir /mnt/walt_hybrid && umount /mnt
mke2fs -q -F -t ext4 -b 1024 -O ^has_journal /dev/vdb
mount /dev/vdb /mnt && mkdir -p /mnt/walt_hybrid/gone/x && echo mine >/mnt/walt_hybrid/volumes && umount /mnt`,
  );
  const before = await root.on('beta', rubbish);
  await reboot();
  assert.equal((await beta()).bootMode, 'network');
  assert.match(await told('unusable'), /Its hybrid disk is not as it must be: .* Empty walt_hybrid/);
  assert.equal(await root.on('beta', rubbish), before);
  assert.equal(await root.on('beta', 'mount /dev/vda1 /mnt && ls -A /mnt/walt_hybrid && umount /mnt'), '');
  // From here on, the third disk is the first that has the folder.
  await root.on('beta', 'for disk in vda1 vdb; do mke2fs -q -F -t ext4 /dev/$disk; done');
});

test('of a full disk, a volume whose content is another one is not used; what is right and fits is', async () => {
  // Volumes of other images would make room.
  await onDisk(`set -e
for volume in volumes/*; do grep -q -x "/volumes/\${volume##*/}" /sys/block/loop*/loop/backing_file || rm "$volume"; done
printf x | dd of="$(echo volumes/platform-*)" bs=1 seek=9000 conv=notrunc status=none
fallocate -l $(($(stat -f -c '%a * %S' .) - (32 << 20))) ../filler`);
  await reboot();
  assert.equal((await beta()).bootMode, 'hybrid-volatile');
  assert.match(await told('full'), /full/);
  const files = await platform.root.on('beta', 'cat /sys/block/loop*/loop/backing_file | sort');
  assert.match(files, /^(?:\/disk\/walt_hybrid\/volumes\/sha256-\S+\n)+\/volumes\/platform-\S+\n$/);
  await onDisk('rm ../filler');
});

test('a disk that cannot be written to is left as it is: the node boots by network', async () => {
  const before = await onDisk(`tune2fs -O read-only /dev/vdc1 >&2; ${LISTING}`);
  await reboot();
  assert.equal((await beta()).bootMode, 'network');
  assert.match(await told('read-only'), /cannot be written to/);
  assert.equal(await onDisk(LISTING), before);
  await platform.root.on('beta', 'tune2fs -O ^read-only /dev/vdc1');
});
