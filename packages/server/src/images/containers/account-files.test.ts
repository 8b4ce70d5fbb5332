import assert from 'node:assert/strict';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { result, tinyRoot, usePlatform } from '../../../test/platform.ts';
import { run } from '../../platform/index.ts';
import type { ImageRecord } from '../types.ts';

const { platform, tiny } = await usePlatform();
const size = { columns: 80, rows: 24 };

/** An image in which a line of shell was run, in its root folder. */
async function imageWith(name: string, line: string): Promise<ImageRecord> {
  const tar = await tinyRoot(platform.folder, name);
  const root = join(platform.folder, 'odd');
  await mkdir(root);
  await run(['tar', '-xf', tar, '-C', root]);
  await run(['sh', '-euc', line], { cwd: root });
  await run(['tar', '--numeric-owner', '-C', root, '-cf', tar, '.']);
  await rm(root, { recursive: true });
  const source = { tar, architecture: 'amd64' as const };
  return result(platform.images.importTar('ann', source, { owner: 'ann', name }, false));
}

async function output(image: ImageRecord): Promise<string> {
  const command = await platform.images.run('ann', image, ['/bin/echo', 'ran']);
  try {
    const [text] = await Promise.all([buffer(command.stdout), command.exited]);
    return text.toString();
  } finally {
    await command.end();
  }
}

describe('nothing is run, and nobody waits, where the accounts are', () => {
  const rows: [name: string, line: string][] = [
    ['a fifo', 'rm etc/passwd; mkfifo etc/passwd'],
    ['a fifo for groups', 'mkfifo etc/group'],
    ['a device', 'rm etc/passwd; mknod etc/passwd c 1 5'],
    ['a link to a fifo', 'rm etc/passwd; mkfifo fifo; ln -s ../../../fifo etc/passwd'],
    ['a fifo in a linked folder', 'mv etc real; rm real/passwd; mkfifo real/passwd; ln -s real etc'],
    ['too much', 'truncate -s 17M etc/passwd'],
  ];
  for (const [name, line] of rows) {
    test(name, { timeout: 600_000 }, async () => {
      const image = await imageWith(name.replaceAll(' ', '-'), line);
      await assert.rejects(output(image), { code: 'INVALID', message: /\/etc\/(?:passwd|group) is no file/ });
      const session = await platform.images.shells.open('ann', image);
      await assert.rejects(platform.images.shells.attach(session.id, size), { code: 'INVALID' });
      await platform.images.shells.discard(session.id);
    });
  }
});

test('links to plain files, and none at all, are as good', async () => {
  assert.equal(await output(await imageWith('linked', 'mv etc/passwd x; ln -s /x etc/passwd')), 'ran\n');
  assert.equal(await output(await imageWith('none', 'rm etc/passwd')), 'ran\n');
  assert.equal(await output(tiny), 'ran\n');
});

test('a session whose user made a fifo of it can be left, not entered, and discarded', {
  timeout: 600_000,
}, async () => {
  const { shells } = platform.images;
  const session = await shells.open('ann', tiny);
  const { stream, exited } = await shells.attach(session.id, size);
  stream.resume();
  // In one line: the prompt of this shell reads that file, too.
  stream.write('rm /etc/passwd; busybox mkfifo /etc/passwd; exit 0\r');
  assert.equal(await exited, 0);
  await assert.rejects(shells.attach(session.id, size), { code: 'INVALID' });
  await shells.discard(session.id);
});

test('no mount is left of a look into a container', async () => {
  const mounts = await run(['findmnt', '--raw', '--noheadings', '--output', 'TARGET']);
  assert.ok(!mounts.includes(`${platform.folder}/state/containers/overlay/`), mounts);
  assert.ok((await stat(platform.folder)).isDirectory());
});
