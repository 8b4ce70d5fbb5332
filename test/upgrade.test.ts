/** A platform of the last version, with nodes that run, is taken over: images, nodes and /persist are what they were. */
import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Image } from '@walt/contract';
import { toOldLayout } from './old-layout.ts';
import { DEFAULT_IMAGE, Platform } from './platform.ts';

let platform: Platform;

before(async () => {
  platform = await Platform.start();
  await platform.root.ok('image', 'duplicate', `waltplatform/${DEFAULT_IMAGE}`, 'mine');
  await platform.root.ok('node', 'create', 'alpha', '--image', 'mine');
  await platform.booted('alpha');
});
after(() => platform?.close());

const CONTENT = `cd /persist && mkdir -p results && echo 42 >results/answer && ln results/answer results/same &&
  ln -s answer results/link && truncate -s 200M results/sparse && chown 1234:4321 results/answer && chmod 2750 results && sync`;
const LOOK = `cd /persist && find . -printf '%p %y %m %U:%G %n %l %T@ %s\\n' | grep -v '^[.] ' | sort && cat results/same`;

test('images, nodes and /persist of the last version are there, and the nodes boot once more', async () => {
  const { root, paths } = platform;
  await root.on('alpha', CONTENT);
  const content = await root.on('alpha', LOOK);
  const images = await root.json<Image[]>('image', 'show', '--all');
  const machine = await platform.pid('vm-1');
  const bootId = await root.on('alpha', 'cat /proc/sys/kernel/random/boot_id');
  const volumes = (await readdir(paths.volumes)).sort();

  // The node's machine goes on, as under a server that is replaced by a newer one.
  await platform.kill();
  await platform.kill('nfs');
  await toOldLayout(paths);
  const { status, stdout, stderr } = await platform.server('start');
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^Moving what nodes read and write to file systems of its own/m);
  assert.match(stdout, /^ {2}\/persist of root on node 1: \d+ MiB$/m);

  assert.equal(await platform.pid('vm-1'), machine, 'the machine was not touched');
  await platform.booted('alpha');
  assert.notEqual(await root.on('alpha', 'cat /proc/sys/kernel/random/boot_id'), bootId, 'it booted again');
  assert.equal(await root.on('alpha', LOOK), content);
  assert.deepEqual(await root.json<Image[]>('image', 'show', '--all'), images);
  assert.deepEqual((await readdir(paths.volumes)).sort(), volumes);
  assert.deepEqual(await readdir(join(paths.persist, 'root')), ['1.img']);
  assert.notEqual((await stat(paths.volumes)).dev, (await stat(paths.state)).dev);
});

test('nothing is moved by the next start; a node that is removed takes its /persist along', async () => {
  const { root, paths } = platform;
  const { stdout } = await platform.server('restart');
  assert.doesNotMatch(stdout, /Moving/);
  await platform.booted('alpha');
  await root.ok('node', 'remove', 'alpha', '--yes');
  assert.deepEqual(await readdir(join(paths.persist, 'root')), []);
});
