/**
 * The service on a node that booted the default image: by its own kernel and systemd, with a disk for what the platform keeps. What else
 * the packages do is in packages.test.ts, on a machine of namespaces, where each step takes a tenth of the time.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import packageFile from '../package.json' with { type: 'json' };
import { run } from '../packages/server/src/platform/index.ts';
import { checkout } from './client.ts';
import { imageWithPackages } from './debian-packages.ts';
import { DEFAULT_IMAGE, Platform } from './platform.ts';
import { Service } from './service.ts';

const OLD = `${packageFile.version}-1`;
const NEW = `${packageFile.version}-2`;
/** Milliseconds; it only ends what hangs. */
const LIMIT = 600_000;
/** Large, and only for nodes with other CPUs. */
const OTHER_CPUS = ['qemu-user-static', 'qemu-system-arm', 'u-boot-qemu'];
const files = (version: string) => ['client', 'server'].map((name) => `walt-${name}_${version}_amd64.deb`);
const install = (version: string) =>
  `dpkg --install ${files(version)
    .map((name) => `/root/${name}`)
    .join(' ')} 2>&1`;

let platform: Platform;
let service: Service;

before(async () => {
  platform = await Platform.start();
  const { root, folder } = platform;
  for (const revision of ['1', '2'])
    await run([join(checkout, 'scripts/packages'), '--revision', revision, folder], { timeout: LIMIT });
  await imageWithPackages(platform, {
    ...{ name: 'debian', base: `waltplatform/${DEFAULT_IMAGE}`, without: OTHER_CPUS },
    packages: await depends(folder),
  });
  const sizes = ['--ram', '2G', '--cpu-cores', '2', 'disks=8G[template=ext4]'];
  await root.ok('node', 'create', 'machine', '--image', 'debian', ...sizes);
  await platform.booted('machine');
  await on('mkdir /var/lib/walt && mount /dev/vda1 /var/lib/walt');
  for (const name of [...files(OLD), ...files(NEW)])
    await root.ok('node', 'cp', join(folder, name), 'machine:/root/');
  service = new Service({ ok: on, run: (line) => root.walt('node', 'run', 'machine', '--', line) });
});
after(() => platform?.close());

const on = (line: string) => platform.root.on('machine', line);

/** Debian's packages that ours want. */
async function depends(folder: string): Promise<string[]> {
  const lists = files(OLD).map((name) => run(['dpkg-deb', '--field', join(folder, name), 'Depends']));
  const words = (await Promise.all(lists)).join(',').split(',');
  return words.map((word) => word.trim().replace(/ .*/s, '')).filter((name) => name !== 'walt-client');
}

test('installed: its systemd runs the service, which answers a client there', async () => {
  assert.match(await on(install(OLD)), /virtual nodes only.*walt-server setup/);
  assert.deepEqual(
    [await service.property('ActiveState'), await service.property('StatusText')],
    ['active', 'Serving.'],
  );
  assert.match(await on('walt node show'), /do not own any node/);
});

test('file systems in files are mounted there also where they lie in the memory that is the node’s root', async () => {
  const script = '/usr/lib/walt/packages/server/src/platform/disks/mount-image.sh';
  await on(
    `cd /root && truncate -s 16M image && mkfs.ext4 -q image && mkdir mounted && ${script} image mounted`,
  );
  assert.equal(await on('findmnt -n -o FSTYPE /root/mounted; umount /root/mounted'), 'ext4\n');
});

test('its server is killed, and restarted: another one serves, programs are the same', async () => {
  const programs = await service.programs();
  assert.deepEqual(Object.keys(programs).sort(), ['dnsmasq', 'nfs', 'walt-logs']);
  for (const act of [(server: number) => `kill -s KILL ${server}`, () => 'systemctl restart walt-server']) {
    const { server = 0 } = await service.pids();
    await on(act(server));
    await service.back(server);
    assert.deepEqual(await service.programs(), programs);
  }
});

test('the next version goes over to its server, programs go on; the older one is refused before anything changes', async () => {
  const programs = await service.programs();
  const { server = 0 } = await service.pids();
  await on(install(NEW));
  await service.back(server);
  assert.deepEqual(await service.programs(), programs);
  const { status, stdout } = await platform.root.walt('node', 'run', 'machine', '--', install(OLD));
  assert.equal(status, 1);
  assert.match(stdout, new RegExp(`walt-server: ${NEW} was installed here, and ${OLD} is older`));
  const versions = await on('dpkg-query -W walt-client walt-server');
  assert.equal(versions, `walt-client\t${NEW}\nwalt-server\t${NEW}\n`);
  assert.match(await on('walt node show'), /do not own any node/);
});
