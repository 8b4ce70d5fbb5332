/** A real disk that is nearly full: what users may take of it, what is given up, and what a database still has. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, statfs, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../../../../test/until.ts';
import { openSpareRoom } from '../database/index.ts';
import { fileExists, sizeIfPresent } from '../files.ts';
import { run } from '../programs/index.ts';
import { ReserveFile } from './reserve-file.ts';
import { DiskFull, diskUse, roomIn } from './room.ts';
import { RoomGuard } from './room-guard.ts';

const MIB = 1024 ** 2;
const RESERVED = 16 * MIB;
const SAFE = 'Nothing is lost.';

let folder: string;
const warnings: string[] = [];
const log = { warn: (message: string) => warnings.push(message) };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-room-'));
  await run(['mount', '-t', 'tmpfs', '-o', 'size=64m', 'walt-test', folder]);
  warnings.length = 0;
});
afterEach(async () => {
  await run(['umount', folder]);
  await rm(folder, { recursive: true });
});

/** Leaves so many bytes. */
async function fill(leave: number): Promise<void> {
  const filler = join(folder, 'filler');
  await rm(filler, { force: true });
  const { bavail, bsize } = await statfs(folder);
  await run(['fallocate', '--length', String(bavail * bsize - leave), '--', filler]);
}

const full = (error: unknown) => error instanceof DiskFull && error.message.endsWith(SAFE);

test('nothing is begun that would need the reserve, but a save may take three quarters of it', async () => {
  const room = new RoomGuard(folder, RESERVED);
  await room.require(SAFE, 40 * MIB);
  await fill(20 * MIB);
  await room.require(SAFE, 4 * MIB);
  await assert.rejects(room.require(SAFE, 5 * MIB), full);
  await fill(10 * MIB);
  await assert.rejects(room.require(SAFE), full);
  await room.requireForSave(SAFE, 6 * MIB);
  await assert.rejects(room.requireForSave(SAFE, 7 * MIB), full);
});

test('what reaches the reserve is ended, and what its user ends has his reason', async () => {
  const room = new RoomGuard(folder, RESERVED);
  const forever = (signal: AbortSignal) => delay(60_000, undefined, { signal });
  const writing = room.guard(SAFE, forever);
  await Promise.all([assert.rejects(writing, full), fill(RESERVED)]);
  await fill(RESERVED + MIB);
  const user = new AbortController();
  const given = room.guard(SAFE, forever, user.signal);
  user.abort();
  await assert.rejects(given, { name: 'AbortError' });
  assert.equal(await room.guard(SAFE, async () => 7), 7);
});

test('the reserve file is given up when the disk is full, and made again when there is room', async () => {
  const reserve = join(folder, 'reserve');
  await using stack = new AsyncDisposableStack();
  const file = new ReserveFile({ reserve }, RESERVED, log);
  stack.defer(() => file.close());
  const size = 2 * MIB;
  await until('it is made', async () => (await sizeIfPresent(reserve)) === size);
  assert.equal(await diskUse([reserve]), size, 'it takes room');
  await fill(0);
  await until('it is given up', async () => !(await fileExists(reserve)));
  assert.match(warnings.join(), /the disk is full/);
  assert.equal(await roomIn(folder, RESERVED), 0, 'users get nothing of it');
  await rm(join(folder, 'filler'));
  await until('it is made again', async () => (await sizeIfPresent(reserve)) === size);
});

test('a database with room of its own is written on a full disk', async () => {
  using sqlite = new DatabaseSync(join(folder, 'some.db'));
  sqlite.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  sqlite.exec('CREATE TABLE line (text TEXT)');
  openSpareRoom(sqlite, log);
  await fill(0);
  await assert.rejects(writeFile(join(folder, 'other'), Buffer.alloc(4096)), { code: 'ENOSPC' });
  const add = sqlite.prepare('INSERT INTO line VALUES (?)');
  for (let count = 0; count < 3000; count += 1) add.run('x'.repeat(100));
  assert.equal(sqlite.prepare('SELECT count(*) AS count FROM line').get()?.count, 3000);
  assert.deepEqual(warnings, []);
});

test('where the disk is full already, a database goes without it', async () => {
  using sqlite = new DatabaseSync(join(folder, 'some.db'));
  sqlite.exec('PRAGMA journal_mode = WAL; CREATE TABLE line (text TEXT)');
  await fill(0);
  openSpareRoom(sqlite, log);
  assert.match(warnings.join(), /no room of its own/);
  assert.equal(sqlite.prepare('SELECT count(*) AS count FROM line').get()?.count, 0);
});

test('what folders take counts once, without what is not there and holes', async () => {
  const data = join(folder, 'data');
  await mkdir(data);
  await writeFile(join(data, 'file'), Buffer.alloc(MIB, 1));
  await run(['ln', join(data, 'file'), join(data, 'again')]);
  await writeFile(join(data, 'hole'), '');
  await truncate(join(data, 'hole'), 10 * MIB);
  assert.equal(await diskUse([data, join(folder, 'absent')]), MIB);
  assert.equal(await diskUse([]), 0);
});
