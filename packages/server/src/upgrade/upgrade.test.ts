import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { loopDevices } from '../../../../test/leftovers.ts';
import { attempt, closeDisks, type Paths, platformPaths, run } from '../platform/index.ts';

const MEBI = 1024 ** 2;
/** When it is killed first, in parts of the time that it takes where nothing is to be done, and how much later each time. */
const FIRST = 0.6;
const LATER = 1.2;
const FIXTURE = join(import.meta.dirname, 'upgrade.fixture.ts');

let state: string;
let paths: Paths;
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'walt-upgrade-'));
  paths = platformPaths({ state, runtime: join(state, 'run'), cache: join(state, 'cache') });
});
afterEach(async () => {
  await closeDisks(paths);
  assert.deepEqual(loopDevices(state), []);
  await rm(state, { recursive: true });
});

/** Everything that a file can be, in folders as version 0.1 had them. */
const CONTENT = `
  mkdir -p persist/alice/1/deep/er persist/alice/2 persist/bob/1 volumes services/nfs/trees/a boot/0a/tree-0123456789abcdef/diff
  cd persist/alice/1
  echo text >file; ln file deep/hard; ln -s /nowhere link; mkfifo fifo; mknod device c 1 3; mknod gone c 0 0
  truncate -s 300M sparse; printf end | dd of=sparse bs=1 seek=300M conv=notrunc status=none
  head -c 3000000 /dev/urandom >random; touch -d '2001-02-03 04:05:06.789' file; chown 1234:4321 deep/er; chmod 6755 random
  setfattr -n user.note -v kept file; setfattr -n user.note -v kept deep
  setfattr -n system.posix_acl_access -v ${'0x0200000001000600ffffffff02000600d2040000'}${'04000400ffffffff10000600ffffffff20000400ffffffff'} deep/hard
  name=$(printf '\\377\\376'); echo odd >"$name"
  chmod 1770 .; chown 1000:1000 .; touch -d '2002-02-03 04:05:06' .
  cd ../2; for n in $(seq 30); do echo $n >$n; done
  cd ../../..
  head -c 2000000 /dev/urandom >volumes/sha256-${'a'.repeat(64)}.erofs; echo platform >volumes/platform-0123456789abcdef.erofs
  echo part >volumes/sha256-${'b'.repeat(64)}.erofs.0123456789ab.tmp`;

/** All that tells one tree from another, but for the sizes of folders. */
const LISTING = `find . ! -path ./lost+found -printf '%P|%y|%m|%U:%G|%n|%l|%T@|' \\( -type f -printf '%s' -o -true \\) -printf '\\n' | sort
  find . -type f ! -name sparse -exec sha256sum {} + | sort; find . -print0 | sort -z | xargs -0 getfattr -hd -m-; tail -c 3 sparse 2>/dev/null || :`;

async function listing(folder: string): Promise<string> {
  return run(['sh', '-euc', LISTING], { cwd: folder });
}

/** The same of what lies in an image. */
async function listingOf(image: string): Promise<string> {
  const look = `mount -o loop,ro "$1" /mnt; cd /mnt; ${LISTING}; cd /; umount /mnt`;
  return run(['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-euc', look, 'sh', image]);
}

const upgrade = (size = 64 * MEBI) => attempt([process.execPath, FIXTURE, state, String(size)]);

test('what lay in folders is on file systems of its own, with all that files can have', async () => {
  await run(['sh', '-euc', CONTENT], { cwd: state });
  const folders = ['alice/1', 'alice/2', 'bob/1'];
  const before = await Promise.all(folders.map((folder) => listing(join(paths.persist, folder))));
  const volumes = (await readdir(paths.volumes)).filter((name) => name.endsWith('.erofs')).sort();
  const content = await Promise.all(volumes.map((name) => readFile(join(paths.volumes, name))));
  const { status, stderr } = await upgrade();
  assert.equal(status, 0, stderr);
  const after = await Promise.all(folders.map((folder) => listingOf(join(paths.persist, `${folder}.img`))));
  assert.deepEqual(after, before);
  assert.deepEqual((await readdir(paths.persist, { recursive: true })).sort(), [
    ...['alice', 'alice/1.img', 'alice/2.img', 'bob', 'bob/1.img'],
  ]);
  assert.deepEqual((await readdir(paths.volumes)).sort(), volumes);
  assert.deepEqual(await Promise.all(volumes.map((name) => readFile(join(paths.volumes, name)))), content);
  assert.deepEqual(await readdir(join(state, 'boot/0a')), []);
  const { stdout } = await upgrade();
  assert.equal(stdout, '', 'nothing is left to do');
});

test('a /persist that is larger than the limit gets what it needs, and that is told', async () => {
  await mkdir(join(paths.persist, 'alice/1'), { recursive: true });
  await writeFile(join(paths.persist, 'alice/1/large'), Buffer.alloc(40 * MEBI, 1));
  const { stdout } = await upgrade(16 * MEBI);
  assert.match(stdout, /alice on node 1: 41 MiB\n +which is more than the limit of today: it gets 11\d MiB/);
  assert.match(
    await listingOf(join(paths.persist, 'alice/1.img')),
    /^large\|f\|644\|0:0\|1\|\|[\d.]+\|41943040$/m,
  );
});

test('two versions of a /persist are not mixed, and nothing of either is lost', async () => {
  await mkdir(join(paths.persist, 'alice/1'), { recursive: true });
  await writeFile(join(paths.persist, 'alice/1.img'), 'newer');
  const { status, stderr } = await upgrade();
  assert.notEqual(status, 0);
  assert.match(stderr, /A \/persist is there twice/);
  assert.deepEqual((await readdir(join(paths.persist, 'alice'))).sort(), ['1', '1.img']);
});

test('on a disk without room for a copy, it stops with the next step, and changes nothing', async () => {
  await run(['mount', '-t', 'tmpfs', '-o', 'size=64m', 'walt-test', state]);
  try {
    await mkdir(join(paths.persist, 'alice/1'), { recursive: true });
    await writeFile(join(paths.persist, 'alice/1/large'), Buffer.alloc(40 * MEBI, 1));
    const { status, stderr } = await upgrade();
    assert.notEqual(status, 0);
    assert.match(stderr, /has no room for it: \d+ MiB are lacking/);
    assert.deepEqual(await readdir(join(paths.persist, 'alice')), ['1']);
    assert.equal((await statfs(join(paths.persist, 'alice/1'))).type, 0x01021994);
  } finally {
    await run(['umount', state]);
  }
});

test('killed at any moment, again and again, it loses nothing', { timeout: 1_200_000 }, async () => {
  await run(['sh', '-euc', CONTENT], { cwd: state });
  const folders = ['alice/1', 'alice/2', 'bob/1'];
  const before = await Promise.all(folders.map((folder) => listing(join(paths.persist, folder))));
  const volumes = (await readdir(paths.volumes)).filter((name) => name.endsWith('.erofs')).sort();
  const idle = await mkdtemp(join(tmpdir(), 'walt-upgrade-'));
  const begun = performance.now();
  assert.equal((await attempt([process.execPath, FIXTURE, idle, String(64 * MEBI)])).status, 0);
  const least = performance.now() - begun;
  await closeDisks(platformPaths({ state: idle, runtime: join(idle, 'run'), cache: join(idle, 'cache') }));
  await rm(idle, { recursive: true });
  // A little later each time: at all of its steps, the first of them more than once.
  let kills = 0;
  for (let patience = FIRST * least; ; patience *= LATER) {
    const child = spawn(process.execPath, [FIXTURE, state, String(64 * MEBI)], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    // The moment is the subject here.
    if ((await Promise.race([ended, delay(patience, 'late')])) !== 'late') break;
    kills += 1;
    child.kill('SIGKILL');
    await ended;
  }
  assert.ok(kills > 0);
  assert.equal((await upgrade()).stdout, '');
  assert.deepEqual(
    await Promise.all(folders.map((folder) => listingOf(join(paths.persist, `${folder}.img`)))),
    before,
  );
  assert.deepEqual((await readdir(paths.volumes)).sort(), volumes);
});
