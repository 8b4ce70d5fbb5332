/** The database is lost: the server refuses to start, deletes nothing, and says what to do; that works. */
import assert from 'node:assert/strict';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Image } from '@walt/contract';
import { attempt, run } from '../packages/server/src/platform/index.ts';
import { TestPostgres } from '../packages/server/test/postgres.ts';
import { importImage } from './import-image.ts';
import { Platform, type PlatformOptions } from './platform.ts';
import { until } from './until.ts';

let platform: Platform;

before(async () => {
  platform = await withTinyImage({});
});
after(() => platform?.close());

async function withTinyImage(options: PlatformOptions): Promise<Platform> {
  const platform = await Platform.start({ ...options, image: false, start: false });
  const tar = join(platform.folder, 'tiny.tar');
  await run(['tar', '--create', '--file', tar, '--directory', '/', '--', 'bin/busybox']);
  await importImage(platform, 'tiny', tar, ['CMD ["/bin/busybox", "sh"]']);
  await platform.up();
  return platform;
}

async function volumes(): Promise<string[]> {
  return (await readdir(platform.paths.volumes)).sort();
}

async function images(): Promise<string[]> {
  return (await platform.root.json<Image[]>('image', 'show')).map(({ name }) => name).sort();
}

test('the database is gone when the server starts', async () => {
  const before = await volumes();
  assert.ok(before.some((name) => name.endsWith('.erofs')));
  const { status: stopped } = await platform.server('stop');
  assert.equal(stopped, 0);
  for (const file of ['walt.db', 'walt.db-wal', 'walt.db-shm']) {
    await rm(join(platform.config.state, file), { force: true });
  }
  for (let round = 0; round < 2; round += 1) {
    const { status, stderr } = await platform.server('start');
    assert.equal(status, 1);
    assert.match(stderr, /^walt-server: The database .*walt\.db is missing or empty/m);
    assert.match(stderr, /→ .*walt-server restore/);
  }
  assert.deepEqual(await volumes(), before, 'nothing is deleted');

  const list = await platform.server('restore', '--list');
  assert.match(
    list.stdout,
    /^walt-\d{8}T\d{6}Z\.db +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +\d+ KiB +1 images, 0 nodes$/m,
  );
  const { status, stdout, stderr } = await platform.server('restore');
  assert.equal(status, 0, stderr);
  assert.match(stdout, /kept for 7 days/);
  await platform.up();
  assert.deepEqual(await images(), ['tiny']);
  assert.deepEqual(await volumes(), before);
});

test('the database goes away under a server that is killed: its supervisor tells, and nothing is deleted', async () => {
  const used = await platform.server('restore');
  assert.equal(used.status, 1);
  assert.match(used.stderr, /The server works with the database.*\n.*walt-server stop/);
  // A copy is taken by itself after the change.
  await platform.root.ok('image', 'duplicate', 'tiny', 'two');
  await until('a copy with both names', async () => {
    const copies = JSON.parse((await platform.server('restore', '--list', '--json')).stdout);
    return copies[0].images === 2;
  });
  await rm(platform.paths.database);
  process.kill(await platform.pid(), 'SIGKILL');
  await until('the reason to be told', async () => {
    const { stdout } = await platform.server('status');
    return /ended unexpectedly .*walt\.db is missing or empty/.test(stdout);
  });
  const { status, stderr } = await platform.server('restore');
  assert.equal(status, 0, stderr);
  await platform.up();
  assert.deepEqual(await images(), ['tiny', 'two']);
  await platform.root.ok('image', 'run', 'tiny', '/bin/busybox', 'true');
});

test('lines of logs move to PostgreSQL, and the platform starts also while that is away', async () => {
  await using postgres = await TestPostgres.start();
  const show = async () => await platform.root.walt('log', 'show', '--server', '--history', 'full', '--csv');
  const refused = await platform.server('migrate-logs');
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /The platform runs, and lines come\.\n.*walt-server stop/);
  const before = (await show()).stdout.trimEnd().split('\n');
  assert.ok(before.length > 1, 'the platform logs itself');

  await platform.server('stop');
  const config = await readFile(platform.configFile, 'utf8');
  await writeFile(platform.configFile, `${config}logs: { database: "${postgres.url}" }\n`);
  const moved = await platform.server('migrate-logs');
  assert.equal(moved.status, 0, moved.stderr);
  assert.match(moved.stdout, /\d+ lines are moved, and were compared\./);
  await platform.up();
  const after = (await show()).stdout.trimEnd().split('\n');
  assert.deepEqual(after.slice(0, before.length), before);

  await platform.server('stop');
  await postgres.end('SIGINT');
  await platform.up();
  const away = await show();
  assert.equal(away.status, 1);
  assert.match(away.stderr, /PostgreSQL at .*, database postgres cannot be used: connect ENOENT/);
  await postgres.start();
  await until('the lines to be there again', async () => (await show()).status === 0);
  await platform.server('stop');
  // The other tests are about the file.
  await writeFile(platform.configFile, config);
});

test('not a byte is free: users are told so, the server lives, the platform stops, and all is there afterwards', async () => {
  await using small = await withTinyImage({ stateSize: '300m' });
  const { root } = small;
  await root.ok('image', 'show'); // who is not signed in yet cannot be then: that is written down
  const filler = join(small.config.state, 'filler');
  await attempt(['sh', '-c', 'cat /dev/zero >"$1"', 'sh', filler]);
  const before = await small.pid();
  // The database has room in its own file.
  for (let round = 0; round < 20; round += 1) await root.ok('image', 'duplicate', 'tiny', `other-${round}`);
  const { status, stderr } = await root.walt('image', 'run', 'tiny', '/bin/busybox', 'true');
  assert.equal(status, 1);
  assert.match(stderr, /The server's disk is full .*Nothing was begun\..*\n.*→ Make room/);
  await root.ok('image', 'show');
  assert.equal(await small.pid(), before, 'the same server');

  const stopped = await small.server('stop');
  assert.equal(stopped.status, 0, stopped.stderr);
  const started = await small.server('start');
  if (started.status !== 0) assert.match(started.stderr, /disk is full/);
  const again = await small.server('stop');
  assert.equal(again.status, 0, again.stderr);

  await rm(filler);
  await small.up();
  await root.ok('image', 'duplicate', 'tiny', 'last');
  await root.ok('image', 'run', 'tiny', '/bin/busybox', 'true');
});

test('without a database of log lines that can be read, nodes are served all the same, and the journal tells it', async () => {
  const lines = platform.paths.logDatabase;
  await platform.server('stop');
  await writeFile(lines, 'no database at all'.repeat(1000));
  await platform.up();
  await platform.root.ok('node', 'show');
  assert.match(await platform.journal(), /lines that nodes log are not kept/);
  await platform.server('stop');
  await rm(lines);
  await platform.up();
  assert.equal(await platform.root.ok('log', 'show', '--issuers', 'server', '--history', ':-1h'), '');
});
