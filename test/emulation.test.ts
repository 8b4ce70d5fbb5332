/** Images for other CPUs open in the same shell, under emulation. */
import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Image } from '@walt/contract';
import { readAptSetup } from '../packages/server/src/images/recipes/apt-sources.ts';
import { run } from '../packages/server/src/platform/index.ts';
import { defaultTar } from './default-tar.ts';
import { Platform } from './platform.ts';
import { Terminal } from './terminal.ts';

let platform: Platform;

/** With what the kernel calls their CPU. */
const machines = { arm64: 'aarch64', armhf: 'armv7l' } as const;
const architectures = ['arm64', 'armhf'] as const;

before(async () => {
  platform = await Platform.start({ image: false, ownCache: true });
  await mkdir(platform.config.cache, { recursive: true });
  // In the place of the default images: they are imported by the product's own way, without the minutes that real ones take.
  for (const architecture of architectures) {
    await makeBusyboxTar(architecture, await defaultTar(architecture, platform.config.cache));
    await platform.root.ok('advanced', 'update-default-images', '--arch', architecture, '--if-missing');
    await platform.root.ok(
      'image',
      'duplicate',
      `waltplatform/${architecture}-default`,
      `small-${architecture}`,
    );
  }
});
after(() => platform?.close());

/** The smallest system of Debian packages: one static program, and no need to run anything to make it. */
async function makeBusyboxTar(architecture: string, tar: string): Promise<void> {
  const tree = `${tar}.tree`;
  const { release, sources, options } = await readAptSetup();
  await run(
    [
      ...['mmdebstrap', `--architectures=${architecture}`, '--variant=extract', '--include=busybox-static'],
      ...options.map((option) => `--aptopt=${option}`),
      ...[release, tree, '-'],
    ],
    // One suite is enough for one program, and mirrors of ports may lag behind with the others.
    { input: `${sources.filter((source) => source.split(' ')[2] === release).join('\n')}\n` },
  );
  await symlink('busybox', join(tree, 'bin/sh'));
  await symlink('busybox', join(tree, 'bin/uname'));
  await writeFile(join(tree, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  await run(['tar', '--create', '--numeric-owner', '--file', tar, '--directory', tree, '.']);
}

for (const architecture of architectures) {
  const image = `small-${architecture}`;

  test(`an ${architecture} image runs in the shell, and a line says that it is emulated`, async () => {
    const { root } = platform;
    const found = (await root.json<Image[]>('image', 'show')).find(({ name }) => name === image);
    assert.equal(found?.architecture, architecture);

    await using terminal = await Terminal.open(root.command('image', 'shell', image), { env: root.env });
    await terminal.expect(new RegExp(`${architecture} image.*emulation`));
    await terminal.expect(/# $/m);
    await terminal.enter('echo "machine: $(uname -m)"');
    await terminal.expect(new RegExp(`^machine: ${machines[architecture]}$`, 'm'));
    await terminal.enter('echo changed >/etc/changed; exit');
    await terminal.expect(/New image name/);
    await terminal.enter('');
    await terminal.expect(new RegExp(`root/${image} is saved`));
    assert.equal(await terminal.exited(), 0);
  });

  test(`an ${architecture} image is built on, and commands of the build run`, async () => {
    const { root } = platform;
    const sources = join(root.home, `${image}-sources`);
    await mkdir(sources);
    await writeFile(join(sources, 'Dockerfile'), `FROM ${image}\nRUN uname -m\n`);
    const built = await root.ok('image', 'build', `built-${architecture}`, '--from-dir', sources);
    assert.match(built, new RegExp(`^${machines[architecture]}$`, 'm'));
    const all = await root.json<Image[]>('image', 'show');
    assert.equal(all.find(({ name }) => name === `built-${architecture}`)?.architecture, architecture);
  });

  test(`files are copied into an ${architecture} image and out of it`, async () => {
    const { root } = platform;
    const [sent, back] = [join(root.home, `${image}-sent`), join(root.home, `${image}-back`)];
    await writeFile(sent, 'sent\n');
    await root.ok('image', 'cp', sent, `${image}:/etc/copied`);
    await root.ok('image', 'cp', `${image}:/etc/copied`, back);
    assert.equal(await readFile(back, 'utf8'), 'sent\n');
    const kept = (await root.json<Image[]>('image', 'show')).find(({ name }) => name === image);
    assert.equal(kept?.architecture, architecture);
  });
}

test('it does not boot on a node of another architecture', async () => {
  const { root } = platform;
  const { status, stderr } = await root.walt('node', 'create', 'pc', '--image', 'small-arm64');
  assert.equal(status, 1);
  assert.match(stderr, /root\/small-arm64/);
  assert.match(stderr, /kernel|arm64/);
});
