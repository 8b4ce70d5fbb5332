/** An image for another CPU opens in the same shell, under emulation. */
import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Image } from '@walt/contract';
import { readAptSetup } from '../packages/server/src/images/apt-sources.ts';
import { run } from '../packages/server/src/platform/index.ts';
import { defaultTar } from './default-tar.ts';
import { Platform } from './platform.ts';
import { Terminal } from './terminal.ts';

let platform: Platform;

before(async () => {
  platform = await Platform.start({ image: false, ownCache: true });
  // In the place of the default image: it is imported by the product's own way, without the minutes that the real one takes.
  const tar = await defaultTar('arm64', platform.config.cache);
  await mkdir(platform.config.cache, { recursive: true });
  await makeBusyboxTar(tar);
  await platform.root.ok('advanced', 'update-default-images', '--arch', 'arm64', '--if-missing');
});
after(() => platform?.close());

/** The smallest system of Debian packages: one static program, and no need to run anything to make it. */
async function makeBusyboxTar(tar: string): Promise<void> {
  const tree = `${tar}.tree`;
  const { release } = await readAptSetup();
  await run([
    'mmdebstrap',
    '--architectures=arm64',
    '--variant=extract',
    '--include=busybox-static',
    release,
    tree,
  ]);
  await symlink('busybox', join(tree, 'bin/sh'));
  await symlink('busybox', join(tree, 'bin/uname'));
  await writeFile(join(tree, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  await run(['tar', '--create', '--numeric-owner', '--file', tar, '--directory', tree, '.']);
}

test('an arm64 image runs in the shell, and a line says that it is emulated', async () => {
  const { root } = platform;
  const [source] = await root.json<Image[]>('image', 'show', '--all');
  assert.equal(source?.architecture, 'arm64');
  await root.ok('image', 'duplicate', source.fullName, 'small');

  await using terminal = await Terminal.open(root.command('image', 'shell', 'small'), { env: root.env });
  await terminal.expect(/arm64 image.*emulation/);
  await terminal.expect(/# $/m);
  await terminal.enter('echo "machine: $(uname -m)"');
  await terminal.expect(/^machine: aarch64$/m);
  await terminal.enter('echo changed >/etc/changed; exit');
  await terminal.expect(/New image name/);
  await terminal.enter('');
  await terminal.expect(/root\/small is saved/);
  assert.equal(await terminal.exited(), 0);
});

test('it does not boot on a node of another architecture', async () => {
  const { root } = platform;
  const { status, stderr } = await root.walt('node', 'create', 'pc', '--image', 'small');
  assert.equal(status, 1);
  assert.match(stderr, /root\/small/);
  assert.match(stderr, /kernel|arm64/);
});
