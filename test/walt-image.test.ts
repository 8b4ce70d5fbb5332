/** Images made for WalT boot unchanged: by their own boot script, kernel and initrd, with their tree as root by NFS. */
import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Device, Image, Node } from '@walt/contract';
import { defaultTar } from './default-tar.ts';
import { importImage } from './import-image.ts';
import { Platform } from './platform.ts';
import { until } from './until.ts';
import { makeWaltTar } from './walt-image.ts';

let platform: Platform;

before(async () => {
  platform = await Platform.start({ start: false });
  const tar = await makeWaltTar(await defaultTar('amd64', platform.config.cache), platform.folder);
  await importImage(platform, 'published', tar, [
    'LABEL walt.node.models=pc-x86-64,rpi-3-b',
    'LABEL walt.server.minversion=8.2',
  ]);
  await rm(tar);
  await platform.up();
  await platform.root.ok('node', 'create', 'pub', '--image', 'published');
  await platform.booted('pub');
});
after(() => platform?.close());

async function image(): Promise<Image | undefined> {
  return (await platform.root.json<Image[]>('image', 'show')).find(({ name }) => name === 'published');
}

test('its boot plan and the models that it has boot scripts for can be seen', async () => {
  const shown = await image();
  assert.equal(shown?.bootPlan, 'nfs-root');
  assert.deepEqual(shown?.models, ['pc-x86-64']);
  assert.deepEqual(shown?.lends, []);
});

test('its own boot script booted it, by absolute paths, with its tree by NFSv3, and all that nodes have', async () => {
  const { root } = platform;
  const hex = (await image())?.digest.slice('sha256:'.length);
  const files = '/etc/hostname /proc/1/comm /etc/platform /proc/cmdline /proc/mounts';
  const [name, init, platformFile, command, ...mounts] = (await root.on('pub', `cat ${files}`)).split('\n');
  assert.deepEqual([name, init], ['pub', 'systemd']);
  assert.equal(platformFile, `server=10.73.0.1 image=${hex} rest=100%`);
  assert.match(
    command ?? '',
    /root=\/dev\/nfs .* init=\/bin\/walt-init .* from=pc-x86-64 server=[0-9a-f:]{17}/,
  );
  assert.match(mounts.join('\n'), /^walt \/ overlay rw,/m);
  const [node] = await root.json<Node[]>('node', 'show');
  assert.equal(node?.bootPlan, 'nfs-root');
});

test('what it has for virtual nodes of WalT was found, by a name with blanks: its kernel prints on the serial console', async () => {
  const { root } = platform;
  assert.match(await root.on('pub', 'cat /proc/cmdline'), / console=ttyS0$/m);
  assert.match(await root.on('pub', 'cat /proc/consoles'), /^ttyS0 /m);
  const console = await readFile(join(platform.paths.virtual, '1', 'console.log'), 'latin1');
  assert.match(console, /Linux version/);
});

test('what it runs when it is up has been run, and was heard by the server', async () => {
  const { root } = platform;
  const hex = (await image())?.digest.slice('sha256:'.length);
  // A node is booted as soon as one may log in: that program may still run.
  const bootup = await until('the end of /bin/on-bootup', async () => {
    const told = await root.on('pub', 'cat /root/bootup 2>/dev/null || true');
    return told.endsWith('\n') && told;
  });
  assert.equal(bootup, `10.73.0.1 ${hex} network\n`);
  const devices = await root.json<Device[]>('device', 'show');
  const { mac, port } = devices.find(({ name }) => name === 'pub')?.neighbour ?? {};
  assert.deepEqual([mac, port], ['00:1b:21:0a:0b:0c', 'gi3']);
  const time = await root.on('pub', '/bin/_walt_internal_/walt-rpc sync_clock');
  assert.ok(Math.abs(Number(time) - Date.now() / 1000) < 120, time);
});

test('it survives the end of its NFS server; what it writes is gone after a reboot, but for /persist', async () => {
  const { root } = platform;
  await root.on('pub', 'echo gone >/root/note; echo kept >/persist/note');
  const before = await platform.pid('nfs');
  await platform.kill('nfs');
  await platform.restarted('nfs', before);
  assert.match(await root.on('pub', 'find /usr/share -type f | wc -l; cat /usr/lib/os-release'), /Debian/);
  await root.ok('node', 'reboot', 'pub');
  await platform.booted('pub');
  assert.equal(await root.on('pub', 'ls /root/note 2>/dev/null; cat /persist/note'), 'kept\n');
});
