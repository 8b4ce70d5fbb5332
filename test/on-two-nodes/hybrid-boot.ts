/** A node that boots from a disk of its own. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { ImageDetails } from '@walt/contract';
import { DEFAULT_IMAGE, type Platform } from '../platform.ts';
import { copied, HYBRID_DISK, leavePlatform, usePlatform } from '../shared-platform.ts';
import { until } from '../until.ts';

let platform: Platform;

before(async () => {
  platform = await usePlatform();
  // node-state.ts leaves a node that has booted from its disk.
  if (!(await platform.node()).some(({ name }) => name === 'beta'))
    await platform.root.ok('node', 'create', 'beta', `disks=${HYBRID_DISK}`);
  await platform.booted('beta');
  // A second attempt would leave the disk out.
  await platform.root.ok('node', 'config', 'beta', 'boot.timeout=none');
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

/** Runs `commands` on the node in the folder of its disk. */
function onDisk(commands: string): Promise<string> {
  return platform.root.on(
    'beta',
    `mkdir -p /run/disk
for partition in /dev/vd?1; do
  mount $partition /run/disk && cd /run/disk/walt_hybrid && break
  umount /run/disk
done 2>/dev/null
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
  await onDisk(
    `mkdir -p ${kept}/changes/root ${kept}/changes/tmp && echo 1 >${earlier} && echo 2 >${kept}/changes/tmp/earlier && touch .persistent`,
  );
  await reboot();
  assert.equal((await beta()).bootMode, 'hybrid-persistent');
  assert.equal(await root.on('beta', 'ls /root/lost /tmp/earlier 2>/dev/null; cat /root/earlier'), '1\n');
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
