/** Any OCI image boots: what it lacks is lent. Images from scratch, and of Debian's packages without a system. */
import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Image } from '@walt/contract';
import { readAptSetup } from '../packages/server/src/images/recipes/apt-sources.ts';
import { run } from '../packages/server/src/platform/index.ts';
import { importImage } from './import-image.ts';
import { DEFAULT_IMAGE, Platform } from './platform.ts';
import { Terminal } from './terminal.ts';
import { until } from './until.ts';

let platform: Platform;

before(async () => {
  platform = await Platform.start();
  const busybox = await makeBusyboxTar(platform.folder, 'tiny', 'bin/busybox', 'bin/sh');
  const bare = await makeBusyboxTar(platform.folder, 'bare', 'app/busybox');
  const debian = await makeDebianTar(platform.folder);
  await makePartial(platform);
  // By the import that the product has, in this process, for a configuration of our own.
  assert.equal((await platform.server('stop')).status, 0);
  await importImage(platform, 'tiny', busybox, [
    `ENTRYPOINT ["/bin/sh", "-c", "{ env; echo here=$PWD; echo uid=$(id -u); } > /tmp/ran; sleep 0.1 & exit 3"]`,
    'ENV GREETING="two words"',
    'WORKDIR /work',
    'LABEL walt.node.models=pc-x86-64',
  ]);
  await importImage(platform, 'bare', bare, ['ENTRYPOINT ["/app/busybox", "touch", "/ran"]']);
  await importImage(platform, 'minbase', debian, [
    `CMD ["sh", "-c", "env > /run/lock/ran; id > /run/lock/who; exec sleep 9999"]`,
    'ENV MODE=fast',
    'USER games',
  ]);
  await platform.up();
  await platform.root.ok('node', 'create', 'small', '--image', 'tiny');
  await platform.root.ok('node', 'create', 'deb', '--image', 'minbase');
  await platform.root.ok('node', 'create', 'part', '--image', 'partial');
  await platform.booted('small', 'deb');
});
after(() => platform?.close());

/** The default image without its kernel and SSH server. */
async function makePartial({ root }: Platform): Promise<void> {
  await root.ok('image', 'duplicate', `waltplatform/${DEFAULT_IMAGE}`, 'partial');
  const input = 'rm -rf /boot/* /usr/lib/modules /usr/sbin/sshd && systemctl disable ssh\nexit\n';
  const saved = await root.run(root.command('image', 'shell', 'partial', '--save'), { input });
  assert.equal(saved.status, 0, saved.stderr);
}

/** One program, and perhaps a link to it as shell. */
async function makeBusyboxTar(
  folder: string,
  name: string,
  program: string,
  shell?: string,
): Promise<string> {
  const root = join(folder, name);
  await mkdir(dirname(join(root, program)), { recursive: true });
  await copyFile('/bin/busybox', join(root, program));
  await chmod(join(root, program), 0o755);
  if (shell !== undefined) await symlink(basename(program), join(root, shell));
  const tar = `${root}.tar`;
  await run(['tar', '--numeric-owner', '--owner=0', '--group=0', '-C', root, '-cf', tar, '.']);
  return tar;
}

/** Debian's smallest system: no kernel, no init, no SSH server, no kmod. */
async function makeDebianTar(folder: string): Promise<string> {
  const { release, sources, options } = await readAptSetup();
  const tar = join(folder, 'minbase.tar');
  const aptOptions = options.map((option) => `--aptopt=${option}`);
  await run(['mmdebstrap', '--mode=root', '--variant=minbase', ...aptOptions, release, tar, '-'], {
    input: `${sources.join('\n')}\n`,
  });
  return tar;
}

async function shown(name: string): Promise<Image | undefined> {
  return (await platform.root.json<Image[]>('image', 'show')).find((image) => image.name === name);
}

test('what an image is lent can be seen', async () => {
  const own = (await platform.root.json<Image[]>('image', 'show', '--all')).find(
    ({ owner }) => owner !== 'root',
  );
  assert.deepEqual(own?.lends, []);
  for (const name of ['tiny', 'minbase']) {
    const image = await shown(name);
    assert.deepEqual(image?.lends, ['kernel', 'init', 'ssh']);
    assert.equal(image?.kernel, own?.kernel);
    assert.equal(image?.bootPlan, 'volumes');
    assert.deepEqual(image?.models, ['pc-x86-64']);
  }
});

test('an image of one program boots, and its entrypoint runs with its environment and in its folder', async () => {
  const { root } = platform;
  // SSH answers before the init has begun.
  const ended = /walt: the image's command has ended, exit status 3/;
  await until('the end of the command', async () => ended.test(await platform.consoles()));
  const ran = (await root.on('small', 'cat /tmp/ran')).trim().split('\n');
  assert.deepEqual(ran.filter((line) => /^(GREETING|HOME|here|uid)=/.test(line)).sort(), [
    ...['GREETING=two words', 'HOME=/root', 'here=/work', 'uid=0'],
  ]);
  assert.equal(await root.on('small', 'cat /etc/hostname; cat /proc/1/comm'), 'small\ninit\n');
  // Nobody stays a zombie. One that ends just now is one for a moment; and a process may go while they are listed.
  const stats = () => root.on('small', 'cat /proc/[0-9]*/stat 2>/dev/null || true');
  await until('the end of all zombies', async () => !/\) Z /.test(await stats()), 10_000);
});

test('a Debian without a system boots, runs its command as its user, and loads modules', async () => {
  const { root } = platform;
  await root.on('deb', 'until [ -s /run/lock/who ]; do sleep 0.1; done');
  assert.match(await root.on('deb', 'cat /run/lock/ran'), /^MODE=fast$/m);
  assert.match(await root.on('deb', 'cat /run/lock/who'), /^uid=5\(games\) gid=60\(games\)/);
  assert.equal(await root.on('deb', 'modprobe dummy && grep -c ^dummy /proc/modules'), '1\n');
  assert.match(await root.on('deb', 'getent hosts server.walt'), /^10\.73\.0\.1 /);
});

test('files are copied by sftp, which is part of the lent server', async () => {
  const { root, folder } = platform;
  const file = join(folder, 'payload');
  await writeFile(file, Buffer.alloc(300_000, 'walt'));
  for (const node of ['small', 'deb']) {
    await root.ok('node', 'cp', file, `${node}:/persist/`);
    await root.ok('node', 'cp', `${node}:/persist/payload`, `${file}.back`);
    assert.deepEqual(await readFile(`${file}.back`), await readFile(file));
  }
});

test('a shell on the console and one by SSH have a terminal', async () => {
  const { root } = platform;
  const open = (verb: string) => Terminal.open(root.command('node', verb, 'small'), { env: root.env });
  {
    await using terminal = await open('console');
    await terminal.press('Enter');
    await terminal.expect(/# $/m);
    await terminal.enter('echo "on $(tty), pid 1 is $(cat /proc/1/comm)"');
    await terminal.expect(/^on \/dev\/ttyS0, pid 1 is init$/m);
    await terminal.press('C-a');
    await terminal.type('d');
    assert.equal(await terminal.exited(), 0);
  }
  await using terminal = await open('shell');
  await terminal.expect(/# $/m);
  await terminal.enter('echo "on $(tty)"; exit 5');
  assert.equal(await terminal.exited(), 5);
});

test('an image that lacks its kernel and SSH server only keeps its own init', async () => {
  const { root } = platform;
  assert.deepEqual((await shown('partial'))?.lends, ['kernel', 'ssh']);
  await platform.booted('part');
  assert.equal(
    await root.on('part', 'cat /proc/1/comm; ls /usr/sbin/sshd 2>&1 | grep -c "No such"'),
    'systemd\n1\n',
  );
  // The system goes on to start, and what it mounts does not hide what the SSH server needs.
  assert.match(await root.on('part', 'systemctl is-system-running --wait'), /^running$/m);
  assert.equal(await root.on('part', 'modprobe dummy && grep -c ^dummy /proc/modules'), '1\n');
});

test('an image without a shell gets one; /persist is kept, and nothing else', async () => {
  const { root } = platform;
  assert.deepEqual((await shown('bare'))?.lends, ['kernel', 'init', 'ssh', 'shell']);
  await root.on('small', 'echo lost > /note; echo kept > /persist/note');
  await root.ok('node', 'boot', 'small', 'bare');
  await platform.booted('small');
  await root.on('small', 'until [ -e /ran ]; do sleep 0.1; done');
  assert.equal(
    await root.on('small', 'cat /persist/note; ls -d /ran /note 2> /dev/null; true'),
    'kept\n/ran\n',
  );
});
