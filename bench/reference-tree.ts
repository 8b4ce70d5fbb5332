import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeErofs, run } from '../packages/server/src/platform/index.ts';
import { checkout } from '../test/client.ts';
import { defaultTar } from '../test/default-tar.ts';
import type { Platform } from '../test/platform.ts';

/** The default image's file tree, with what the product adds to it at boot: its SSH settings, a host key, a name. */
export async function unpackTree(platform: Platform): Promise<string> {
  const tree = join(platform.folder, 'tree');
  await mkdir(tree, { mode: 0o755 });
  const tar = await defaultTar('amd64', platform.config.cache);
  await run([
    'tar',
    '--extract',
    '--preserve-permissions',
    '--xattrs',
    '--xattrs-include=*',
    '--numeric-owner',
    '--file',
    tar,
    '--directory',
    tree,
  ]);
  await cp(join(checkout, 'packages/node/layer'), tree, { recursive: true });
  const key = join(tree, 'etc/walt/ssh/host_key');
  await mkdir(dirname(key), { recursive: true });
  await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key]);
  await writeFile(join(tree, 'etc/hostname'), 'reference\n');
  // systemd takes a system without one for a new installation, which takes longer.
  await writeFile(join(tree, 'etc/machine-id'), `${'0123456789abcdef'.repeat(2)}\n`);
  await mkdir(join(tree, 'persist'));
  return tree;
}

/** An ext4 disk with that tree. */
export async function makeDisk(tree: string, file: string): Promise<void> {
  await run(['truncate', '--size=1G', '--', file]);
  await run(['mke2fs', '-q', '-t', 'ext4', '-d', tree, file]);
}

/** A disk with that tree as a volume of the product's. */
export async function makeVolume(tree: string, file: string): Promise<void> {
  await makeErofs(tree, file, 'kept');
}
