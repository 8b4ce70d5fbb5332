/** Our own packages: what they bring; and the service that they make of the platform, on a machine that a real systemd runs. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Image, Node } from '@walt/contract';
import packageFile from '../package.json' with { type: 'json' };
import { loadConfig, platformPaths, run } from '../packages/server/src/platform/index.ts';
import { checkout } from './client.ts';
import { defaultTar } from './default-tar.ts';
import { Platform } from './platform.ts';
import { Service } from './service.ts';
import { SystemdMachine } from './systemd-machine.ts';
import { until } from './until.ts';

const VERSION = `${packageFile.version}-1`;
const LIMIT = 600_000;
const DEBS = ['client', 'server'].map((name) => `/mnt/walt-${name}_${VERSION}_amd64.deb`).join(' ');

let machine: SystemdMachine;
let service: Service;

before(async () => {
  machine = await SystemdMachine.start();
  service = new Service(machine);
  await run([join(checkout, 'scripts/packages'), machine.folder], { timeout: LIMIT });
});
after(() => machine?.close());

/** What runs in the machine of the platform, by the beginning of its command line. */
async function platformPrograms(): Promise<string[]> {
  const commands = (await machine.ok('ps -eo args=')).split('\n');
  return commands.filter((command) =>
    /^(dnsmasq|ganesha|qemu|podman|\S*\/usr\/lib\/walt|\S*sh \/usr\/lib\/walt)/.test(command),
  );
}

test('the packages have what a server and a client need, each file of root and in one of them, and depend on what is listed', async () => {
  const list = (name: string) =>
    run(['dpkg-deb', '--contents', join(machine.folder, `walt-${name}_${VERSION}_amd64.deb`)]);
  const [client, server] = await Promise.all([list('client'), list('server')]);
  for (const path of [
    ...[
      'usr/bin/walt -> ../lib/walt/walt',
      'usr/lib/walt/docs/service.md',
      'usr/share/bash-completion/completions/walt',
    ],
    ...[
      'usr/share/zsh/vendor-completions/_walt',
      'usr/share/man/man1/walt-node.1.gz',
      'usr/share/doc/walt-client/copyright',
    ],
  ]) {
    assert.ok(client.includes(` ./${path}\n`), path);
  }
  for (const path of [
    ...['usr/sbin/walt-server -> ../lib/walt/walt-server', 'usr/lib/systemd/system/walt-server.service'],
    ...[
      'usr/lib/walt/packages/node/initramfs/init',
      'usr/lib/walt/images/debian/packages',
      'usr/share/man/man8/walt-server.8.gz',
    ],
  ]) {
    assert.ok(server.includes(` ./${path}\n`), path);
  }
  const files = (text: string) =>
    text.split('\n').flatMap((line) => (/^-/.test(line) ? [line.replace(/.* \.\//, '')] : []));
  assert.deepEqual(
    files(client).filter((path) => files(server).includes(path)),
    [],
  );
  assert.doesNotMatch(client + server, /\.ts\n|decisions|^(?!.* root\/root )./m);
  const depends = await run([
    'dpkg-deb',
    '--field',
    join(machine.folder, `walt-server_${VERSION}_amd64.deb`),
    'Depends',
  ]);
  assert.match(depends, new RegExp(`^walt-client \\(= ${VERSION}\\), .*dnsmasq-base, .*qemu-system-x86, `));
  assert.doesNotMatch(depends, /postgresql|openssh-server|masked/);
});

test('installed: the service runs with virtual nodes only, says how to have real ones, and has what a shell and man want', async () => {
  const told = await machine.ok(`dpkg --install ${DEBS} 2>&1`);
  assert.match(told, /virtual nodes only.*walt-server setup/);
  assert.deepEqual(
    [await service.property('ActiveState'), await service.property('StatusText')],
    ['active', 'Serving.'],
  );
  assert.equal((await machine.ok('systemctl is-enabled walt-server')).trim(), 'enabled');
  assert.match(await machine.ok('walt node show'), /do not own any node/);
  assert.match(await machine.ok('walt --version'), new RegExp(packageFile.version.replaceAll('.', '\\.')));
  assert.match(await machine.ok('walt help list'), /^service /m);
  // A page that groff finds something wrong with is told on standard error.
  const pages =
    'for page in walt walt-node walt-image walt-server.8; do man --warnings $page 2>&1 >/dev/null; done';
  assert.equal(await machine.ok(pages), '');
  assert.match(
    await machine.ok('MANWIDTH=200 man walt-node | cat'),
    /walt node create .*<name>[\s\S]*--image <image>/,
  );
  const words =
    'source /usr/share/bash-completion/completions/walt; COMP_LINE="walt node cre"; COMP_POINT=13; _walt_complete; echo $COMPREPLY';
  assert.equal(await machine.ok(`bash -c '${words}'`), 'create\n');
  assert.match(await machine.ok('journalctl --unit walt-server'), / info server serving /);
});

test('the server and its supervisor are killed, the service is restarted, by both commands: programs and nodes are the same', async () => {
  const before = await service.programs();
  assert.deepEqual(Object.keys(before).sort(), ['dnsmasq', 'nfs', 'walt-logs']);
  for (const act of [
    'kill -s KILL $(sed "s/.*\\"pid\\":\\([0-9]*\\).*/\\1/" /run/walt/server.json)',
    'systemctl kill --kill-who=main --signal=KILL walt-server',
    'systemctl restart walt-server',
    'walt-server restart',
  ]) {
    const { server = 0 } = await service.pids();
    await machine.ok(act);
    await service.back(server);
    assert.deepEqual(await service.programs(), before, act);
  }
  assert.match(
    await machine.ok('journalctl --unit walt-server --priority err'),
    /the server ended .*killed by signal 9/,
  );
  assert.match(await machine.ok('journalctl --unit walt-server'), /to be started again; nodes go on/);
});

test('a server that hangs: what systemd does when nobody speaks any more brings another one; nodes go on', async () => {
  // That it speaks is proven beside the code; waiting until it is missed would take minutes.
  assert.equal(await service.property('WatchdogUSec'), '3min');
  const before = await service.programs();
  const { server = 0 } = await service.pids();
  await machine.ok(`kill -s STOP ${server}; systemctl kill --kill-who=main --signal=ABRT walt-server`);
  await service.back(server);
  assert.equal((await machine.run(`kill -s 0 ${server}`)).status, 1, 'it is gone');
  assert.deepEqual(await service.programs(), before);
});

test('a mistake in the configuration: the service stays down and says why, until it is mended', async () => {
  const before = await service.programs();
  await machine.ok('mkdir -p /etc/walt; echo "nonsense: true" >/etc/walt/server.conf');
  assert.notEqual((await machine.run('systemctl restart walt-server')).status, 0);
  assert.equal(await service.property('ActiveState'), 'failed');
  assert.match(await machine.ok('journalctl --unit walt-server'), /server\.conf: .*nonsense/);
  await machine.ok('rm /etc/walt/server.conf; systemctl start walt-server');
  assert.deepEqual(await service.programs(), before);
});

test('a virtual node goes on, too', async () => {
  const folder = join(machine.folder, 'image');
  await mkdir(folder);
  const tar = await defaultTar('amd64', platformPaths(await loadConfig()).cache);
  // Who starts a platform with a default image leaves it in the cache.
  if (!existsSync(tar)) await (await Platform.start()).close();
  const kernel = [
    './boot/vmlinuz-*-cloud-amd64',
    './boot/config-*-cloud-amd64',
    './usr/lib/modules/*-cloud-amd64',
  ];
  await run(['tar', '-C', folder, '-xf', tar, '--wildcards', ...kernel]);
  await copyFile('/bin/busybox', join(folder, 'busybox'));
  await writeFile(join(folder, 'init'), '#!/bin/sh\nexec sleep 100000\n', { mode: 0o755 });
  // All that a node needs, so that nothing has to be lent; what becomes of it does not matter here.
  const lines = [
    ...[
      'FROM scratch',
      'COPY busybox /bin/',
      'RUN ["/bin/busybox", "--install", "-s", "/bin"]',
      'COPY init /sbin/',
    ],
    ...['COPY busybox /usr/sbin/sshd', 'COPY boot /boot/', 'COPY usr/lib/modules /lib/modules/'],
  ];
  await writeFile(join(folder, 'Dockerfile'), lines.join('\n'));
  await machine.ok(
    'walt image build tiny --from-dir /mnt/image && walt node create vnode1 --image tiny --ram 256M',
  );
  // Before, its loader asks the server for files, and starts over where nobody answers.
  const step = async () => {
    const [node]: Node[] = JSON.parse(await machine.ok('walt node show vnode1 --json'));
    return node?.boot?.step === 'init';
  };
  await until('its init', step, LIMIT);
  const before = await service.programs();
  const { server = 0 } = await service.pids();
  await machine.ok('systemctl restart walt-server');
  await service.back(server);
  assert.deepEqual(await service.programs(), before);
});

test('the client of npm, on a machine of its own, reaches the server by ssh', async () => {
  const { folder } = machine;
  const words = ['--global', '--offline', '--no-audit', '--no-fund', '--cache', join(folder, 'cache')];
  const file = join(folder, `walt-client-${packageFile.version}.tgz`);
  await run(['npm', 'install', ...words, '--prefix', join(folder, 'npm'), file], { timeout: LIMIT });
  // It runs on whatever `node` is there.
  await machine.ok('mkdir /mnt/node; ln -s /usr/lib/walt/node_modules/node-linux-*/bin/node /mnt/node/');
  const npm = 'export PATH=/mnt/node:$PATH; cd /; /mnt/npm/bin/walt';
  assert.equal(await machine.ok(`${npm} --version`), `walt ${packageFile.version}\n`);
  assert.match(await machine.ok(`${npm} help list`), /^remote /m);
  await machine.ok(`mkdir -p /root/.ssh /run/sshd /mnt/ssh && cd /mnt/ssh
    for name in host user; do ssh-keygen -q -t ed25519 -N '' -f $name; done
    cp user.pub authorized
    printf 'IdentityFile /mnt/ssh/user\\nIdentitiesOnly yes\\nStrictHostKeyChecking accept-new\\nUserKnownHostsFile /mnt/ssh/known\\n' >/root/.ssh/config
    /usr/sbin/sshd -f /dev/null -h /mnt/ssh/host -p 2222 -o ListenAddress=127.0.0.1 -o AuthorizedKeysFile=/mnt/ssh/authorized -o StrictModes=no`);
  const nodes: Node[] = JSON.parse(
    await machine.ok(`${npm} --server ssh://root@127.0.0.1:2222 node show --json`),
  );
  assert.deepEqual(
    nodes.map(({ name }) => name),
    ['vnode1'],
  );
});

test('stopped: nothing of it runs; removed with a node that runs: that is told, and nothing is lost; purged: what users made stays', async () => {
  await machine.ok('systemctl stop walt-server');
  assert.deepEqual(await platformPrograms(), []);
  await machine.ok('systemctl start walt-server');
  await until('its QEMU', async () =>
    (await platformPrograms()).some((command) => command.startsWith('qemu')),
  );

  const told = await machine.ok('dpkg --remove walt-server 2>&1');
  assert.match(told, /1 virtual node is switched off\./);
  assert.deepEqual(await platformPrograms(), []);
  assert.equal(await machine.ok('cat /proc/self/mounts | grep /var/lib/walt/ || true; ip netns list'), '');

  await machine.ok(`dpkg --install ${DEBS}`);
  assert.equal(await service.property('ActiveState'), 'active');
  const images: Image[] = JSON.parse(await machine.ok('walt image show --json'));
  assert.deepEqual(
    images.map(({ name }) => name),
    ['tiny'],
  );

  const purged = await machine.ok('dpkg --purge walt-server 2>&1');
  assert.match(purged, /images, nodes and what is in \/persist are still there/);
  assert.match(await machine.ok('ls /var/lib/walt'), /^walt\.db$/m);
});
