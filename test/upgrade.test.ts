/** A platform of the last version, with nodes that run, is taken over: images, nodes and /persist are what they were. */
import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Image } from '@walt/contract';
import { attempt, type ExecResult } from '../packages/server/src/platform/index.ts';
import { checkout } from './client.ts';
import { toOldLayout } from './old-layout.ts';
import { DEFAULT_IMAGE, Platform } from './platform.ts';
import { until } from './until.ts';

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

/** Each number is in the one file before it is in the other. */
const WRITE = `nohup sh -c 'echo $$ >/run/writer; n=0; while :; do n=$((n + 1)); echo $n >>/persist/one; echo $n >>/persist/two; sync; done' \
  >/dev/null 2>&1 </dev/null & until [ -s /persist/two ]; do sleep 0.1; done`;

const END_WRITE = `kill $(cat /run/writer); while kill -0 $(cat /run/writer) 2>/dev/null; do sleep 0.1; done
  rm /persist/one /persist/two; sync`;

/** Of the platform, with its digests. */
let saved: { images: Image[]; content: string; backups: string };

test('the platform is backed up while a node writes', async () => {
  const { root } = platform;
  const images = await root.json<Image[]>('image', 'show', '--all');
  const content = await root.on('alpha', LOOK);
  saved = { images, content, backups: join(platform.folder, 'backups') };
  await root.on('alpha', WRITE);
  const { stdout, stderr } = await walt(platform, 'backup', saved.backups, '--json');
  const { missing, damaged, ...told } = JSON.parse(stdout);
  assert.deepEqual({ missing, damaged, disks: told.disks }, { missing: [], damaged: [], disks: 1 }, stderr);
  // Nobody holds the node's writes up any longer.
  await root.on('alpha', END_WRITE);
  assert.equal(await root.on('alpha', LOOK), content);
});

/** Runs `walt-server`, which may copy gigabytes, on a platform. */
async function walt({ configFile }: Platform, ...words: string[]): Promise<ExecResult> {
  const argv = [join(checkout, 'walt-server'), ...words];
  const result = await attempt(argv, { timeout: 900_000, env: { WALT_CONFIG: configFile } });
  assert.equal(result.status, 0, result.stderr);
  return result;
}

test('nothing is moved by the next start; a node that is removed takes its /persist along', async () => {
  const { root, paths } = platform;
  const { stdout } = await platform.server('restart');
  assert.doesNotMatch(stdout, /Moving/);
  await platform.booted('alpha');
  await root.ok('node', 'remove', 'alpha', '--yes');
  assert.deepEqual(await readdir(join(paths.persist, 'root')), []);
});

test('the backup brings images, nodes and /persist back on another machine, where the node boots', async () => {
  await using other = await Platform.start({ start: false });
  await walt(other, 'restore', saved.backups);
  const began = Date.now() / 1000;
  await other.up();
  // The database tells of its boot on the first machine, until it has begun one here.
  await until(
    'the node to boot here',
    async () => {
      const [alpha] = await other.node();
      return (alpha?.since ?? 0) > began;
    },
    280_000,
  );
  await other.booted('alpha');
  assert.deepEqual(await other.root.json<Image[]>('image', 'show', '--all'), saved.images);
  const [one = 0, two = 0] = (await other.root.on('alpha', 'tail -qn 1 /persist/one /persist/two'))
    .split('\n')
    .map(Number);
  assert.ok(one > 0 && (one === two || one === two + 1), `${one} ${two}`);
  await other.root.on('alpha', 'rm /persist/one /persist/two');
  assert.equal(await other.root.on('alpha', LOOK), saved.content);
});
