import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Kysely, SqliteDialect, sql } from 'kysely';
import { Migrator } from 'kysely/migration';
import { isUserError } from '../errors.ts';
import { createLog } from '../logs/index.ts';
import { type Paths, platformPaths } from '../paths.ts';
import { run } from '../programs/index.ts';
import { adapt, openSqliteDatabase } from './database.ts';
import { copyDatabase, keptCopies, listCopies, openCopy } from './database-copies.ts';
import { describeCopies, mayCollect, openPlatformDatabase, restoreDatabase } from './platform-database.ts';
import { type TestTables, testTables } from './tables.fixture.ts';
import { type Database, migrationsOf, type PlatformTables, tablesOf } from './tables.ts';

const log = createLog('test');

async function newState(t: TestContext): Promise<Paths> {
  const folder = await mkdtemp(join(tmpdir(), 'walt-state-'));
  t.after(() => rm(folder, { recursive: true }));
  return platformPaths({ state: folder, runtime: join(folder, 'run'), cache: join(folder, 'cache') });
}

function addNote(database: Database<TestTables>, text: string): Promise<unknown> {
  return database.insertInto('note').values({ text }).execute();
}

async function notes(paths: Paths): Promise<string[]> {
  const { database, close } = await openPlatformDatabase(paths, testTables, log);
  const rows = await database.selectFrom('note').select('text').orderBy('text').execute();
  await close();
  return rows.map(({ text }) => text);
}

/** A platform with a row and a volume; its server has ended. */
async function usedState(t: TestContext): Promise<Paths> {
  const paths = await newState(t);
  const { database, close } = await openPlatformDatabase(paths, testTables, log);
  await addNote(database, 'first');
  await close();
  await mkdir(paths.volumes);
  await writeFile(join(paths.volumes, `sha256-${'0'.repeat(64)}.erofs`), 'volume');
  return paths;
}

function refusal(message: RegExp, hint = /walt-server restore/) {
  return (error: unknown) => {
    assert.ok(isUserError(error), String(error));
    assert.match(error.message, message);
    assert.match(error.hint, hint);
    return true;
  };
}

const DAMAGES: Record<string, { damage: (paths: Paths) => Promise<unknown>; message: RegExp }> = {
  missing: { damage: ({ database }) => rm(database), message: /walt\.db is missing or empty/ },
  empty: { damage: ({ database }) => truncate(database), message: /missing or empty/ },
  'cut off': { damage: ({ database }) => truncate(database, 4096 * 3), message: /is damaged: / },
  'cut within a page': { damage: ({ database }) => truncate(database, 10_000), message: /is damaged: / },
  'no database': {
    damage: ({ database }) => writeFile(database, 'x'.repeat(50_000)),
    message: /is damaged: /,
  },
  'full of zeros': {
    damage: ({ database }) => writeFile(database, Buffer.alloc(50_000)),
    message: /is damaged: /,
  },
  'broken inside': {
    damage: async ({ database }) => {
      const content = await readFile(database);
      await writeFile(database, content.fill(0xff, 4096 * 2, 4096 * 4));
    },
    message: /is damaged: /,
  },
  'another, younger one': {
    damage: async ({ database, state }) => {
      const other = platformPaths({ state: join(state, 'other'), runtime: '', cache: '' });
      await mkdir(other.state);
      await (await openPlatformDatabase(other, testTables, log)).close();
      await copyFile(other.database, database);
    },
    message: /is not the one of this state folder/,
  },
};

for (const [kind, { damage, message }] of Object.entries(DAMAGES)) {
  test(`a database that is ${kind} is refused, nothing is changed, and a copy takes its place`, async (t) => {
    const paths = await usedState(t);
    await damage(paths);
    const before = await readdir(paths.state, { recursive: true });
    for (let round = 0; round < 2; round += 1) {
      await assert.rejects(openPlatformDatabase(paths, testTables, log), refusal(message));
    }
    const after = (await readdir(paths.state, { recursive: true })).filter((name) => !/walt\.db/.test(name));
    assert.deepEqual(
      after,
      before.filter((name) => !/walt\.db/.test(name)),
    );

    const { sound, name } = await restoreDatabase(paths, testTables);
    assert.ok(sound);
    assert.match(name, /^walt-\d{8}T\d{6}Z\.db$/);
    assert.deepEqual(await notes(paths), ['first']);
    if (kind !== 'missing') {
      const kept = (await readdir(paths.state)).filter((entry) => entry.startsWith('walt.db.replaced-'));
      assert.equal(kept.length, 1, 'what was there is kept');
    }
  });
}

test('without the marker, a database that was lost is told by what lies in the state folder', async (t) => {
  for (const data of ['volumes', 'bootFiles', 'containers', 'persist', 'keys'] as const) {
    const paths = await newState(t);
    await mkdir(join(paths[data], 'something.erofs'), { recursive: true });
    await assert.rejects(openPlatformDatabase(paths, testTables, log), refusal(/missing or empty/));
    await writeFile(paths.database, '');
    await assert.rejects(openPlatformDatabase(paths, testTables, log), refusal(/missing or empty/));
  }
});

test('a new platform, one of an older version, and one whose first server was killed are opened', async (t) => {
  const paths = await newState(t);
  const { close } = await openPlatformDatabase(paths, testTables, log);
  await close();
  const id = await readFile(paths.identity, 'utf8');
  assert.match(id, /^[0-9a-f]{32}\n$/);
  assert.equal((await stat(paths.identity)).mode & 0o777, 0o600);
  // Killed before the marker was written; an older version never wrote one.
  await rm(paths.identity);
  await mkdir(join(paths.keys, 'nodes'), { recursive: true });
  await (await openPlatformDatabase(paths, testTables, log)).close();
  assert.equal(await readFile(paths.identity, 'utf8'), id);
});

test('before the tables of an older version are changed, a copy is taken', async (t) => {
  const paths = await newState(t);
  const old = new DatabaseSync(paths.database);
  const tables = new Kysely<unknown>({
    dialect: new SqliteDialect({ database: adapt(old, paths.database) }),
  });
  const before = Object.fromEntries(
    Object.entries(migrationsOf(testTables)).filter(([name]) => name < '0040'),
  );
  const migrator = new Migrator({ db: tables, provider: { getMigrations: async () => before } });
  assert.equal((await migrator.migrateToLatest()).error, undefined);
  old.exec("INSERT INTO note VALUES (1, 'of the old version')");
  await tables.destroy();
  await (await openPlatformDatabase(paths, testTables, log)).close();
  const copies = await listCopies(paths);
  const oldest = openCopy(copies.at(-1)?.path ?? '');
  assert.equal(oldest?.prepare('SELECT text FROM note').get()?.text, 'of the old version');
  assert.throws(() => oldest?.prepare('SELECT * FROM platform'), /no such table/);
  oldest?.close();
  // It can be restored all the same.
  await restoreDatabase(paths, testTables, copies.at(-1)?.name);
  assert.deepEqual(await notes(paths), ['of the old version']);
});

test('copies are taken at the end, are closed to others, whole by themselves, and none is taken for nothing', async (t) => {
  const paths = await usedState(t);
  await notes(paths);
  await notes(paths);
  const copies = await listCopies(paths);
  assert.equal(copies.length, 1, 'nothing has changed');
  assert.equal((await stat(paths.databaseCopies)).mode & 0o777, 0o700);
  assert.equal((await stat(copies[0]?.path ?? '')).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(paths.databaseCopies), [copies[0]?.name]);
  assert.deepEqual(
    (await describeCopies(paths, testTables)).map(({ sound, counts }) => ({ sound, counts })),
    [{ sound: true, counts: { notes: 1 } }],
  );
});

test('a copy is taken while the database is used, of one moment', async (t) => {
  const paths = await newState(t);
  const { database, sqlite } = await openSqliteDatabase(paths.database, testTables);
  await database.transaction().execute(async (t) => {
    for (let row = 0; row < 3000; row += 1) await addNote(t, `a${row}${'x'.repeat(1000)}`);
  });
  let done = false;
  const copying = copyDatabase(sqlite, paths.databaseCopies).finally(() => {
    done = true;
  });
  // Both of a pair, or none.
  let pairs = 0;
  while (!done) {
    pairs += 1;
    await database.transaction().execute(async (t) => {
      await addNote(t, `p${pairs}`);
      await addNote(t, `q${pairs}`);
    });
    await delay(0);
  }
  await copying;
  assert.ok(pairs > 1, 'it was used meanwhile');
  const [copy] = await listCopies(paths);
  using opened = openCopy(copy?.path ?? '');
  const count = (like: string) =>
    opened?.prepare('SELECT count(*) AS n FROM note WHERE text LIKE ?').get(like)?.n;
  assert.equal(count('a%'), 3000);
  assert.equal(count('p%'), count('q%'));
  await database.destroy();
});

test('a copy that is due in the middle of a transaction waits for its end, and tells when that does not come', async (t) => {
  const paths = await usedState(t);
  const { database, sqlite } = await openSqliteDatabase(paths.database, testTables);
  const [before] = await listCopies(paths);
  const told = Promise.withResolvers<void>();
  await database.transaction().execute(async (t) => {
    await addNote(t, 'within');
    await assert.rejects(
      copyDatabase(sqlite, paths.databaseCopies, 50),
      /a transaction has not ended for 0.05 s/,
    );
    // Its first try is over when it is awaited next.
    void copyDatabase(sqlite, paths.databaseCopies, 600_000).then(told.resolve, told.reject);
    await delay(50);
    assert.deepEqual((await listCopies(paths))[0], before);
  });
  await told.promise;
  const [copy] = await listCopies(paths);
  using opened = openCopy(copy?.path ?? '');
  assert.equal(opened?.prepare("SELECT count(*) AS n FROM note WHERE text = 'within'").get()?.n, 1);
  await database.destroy();
});

test('after a restoration nothing is collected for days, and numbers of nodes are not given again', async (t) => {
  const paths = await usedState(t);
  const { database, close } = await openPlatformDatabase(paths, testTables, log);
  assert.equal(await mayCollect(database), true);
  await sql`UPDATE sqlite_sequence SET seq = 7 WHERE name = 'note'`.execute(database);
  await close();
  await restoreDatabase(paths, testTables);
  const again = await openPlatformDatabase(paths, testTables, log);
  assert.equal(await mayCollect(again.database), false);
  const { rows } = await sql<{ seq: number }>`SELECT seq FROM sqlite_sequence WHERE name = 'note'`.execute(
    again.database,
  );
  assert.equal(rows[0]?.seq, 107);
  await tablesOf<PlatformTables>(again.database).updateTable('platform').set({ collect_after: 5 }).execute();
  assert.equal(await mayCollect(again.database), true);
  await again.close();
});

test('what cannot be restored is told, and the database stays as it is', async (t) => {
  const paths = await usedState(t);
  await assert.rejects(restoreDatabase(paths, testTables, 'no.db'), refusal(/no copy "no\.db"/));
  await assert.rejects(restoreDatabase(paths, testTables, '../walt.db'), refusal(/no copy/));
  const [copy] = await listCopies(paths);
  await truncate(copy?.path ?? '', 5000);
  await assert.rejects(restoreDatabase(paths, testTables, copy?.name), refusal(/damaged itself/));
  await assert.rejects(restoreDatabase(paths, testTables), refusal(/no sound copy/, /begin anew/));
  assert.deepEqual(await notes(paths), ['first']);
});

test('which copies stay', () => {
  const now = Date.UTC(2026, 5, 30, 12, 30) / 1000;
  const hour = 3600;
  const day = 24 * hour;
  // One each ten minutes for forty days.
  const times = Array.from({ length: 40 * 144 }, (_, index) => now - index * 600);
  const kept = [...keptCopies(times, now)].sort((a, b) => b - a);
  assert.deepEqual(kept.slice(0, 5), times.slice(0, 5), 'the newest');
  const within = (from: number, to: number) =>
    kept.filter((time) => time <= now - from && time > now - to).length;
  assert.equal(within(hour, day), 23, 'one each hour of a day');
  assert.equal(within(day, 15 * day), 13, 'one each day of two weeks, with the last of today');
  assert.ok(kept.length < 50);
  assert.ok(now - (kept.at(-1) ?? 0) <= 15 * day);
  // A clock that was wrong does not make it forget everything.
  assert.ok(keptCopies([now + 900 * day, now - 900 * day], now).size === 2);
});

/** A server that adds rows and takes copies all the time. */
async function busyServer(paths: Paths): Promise<ChildProcess> {
  const modules = [
    './platform-database.ts',
    './database-copies.ts',
    './database.ts',
    './tables.fixture.ts',
  ].map((name) => JSON.stringify(import.meta.resolve(name)));
  const script = `
    const { openPlatformDatabase } = await import(${modules[0]});
    const { copyDatabase } = await import(${modules[1]});
    const { openSqliteDatabase } = await import(${modules[2]});
    const { testTables } = await import(${modules[3]});
    const paths = ${JSON.stringify(paths)};
    const { database, sqlite } = await openSqliteDatabase(paths.database, testTables);
    console.log('open');
    for (let n = 0; ; n += 1) {
      await database.insertInto('note').values({ text: process.pid + '-' + n + 'x'.repeat(3000) }).execute();
      await copyDatabase(sqlite, paths.databaseCopies);
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.stdout) await once(child.stdout, 'data');
  return child;
}

test('killed while it copies: every copy under its name is sound, and no parts pile up', async (t) => {
  const paths = await usedState(t);
  for (let round = 0; round < 12; round += 1) {
    const server = await busyServer(paths);
    await delay(20 + Math.random() * 60); // the moment is the subject here
    server.kill('SIGKILL');
    await once(server, 'exit');
    const copies = await describeCopies(paths, testTables);
    assert.ok(copies.length >= 1);
    assert.deepEqual(
      copies.filter(({ sound }) => !sound),
      [],
    );
    const others = (await readdir(paths.databaseCopies)).filter((name) => !name.endsWith('Z.db'));
    assert.ok(others.every((name) => name.startsWith('copy.tmp')) && others.length <= 3, String(others));
  }
  await (await openPlatformDatabase(paths, testTables, log)).close();
  assert.deepEqual(
    (await readdir(paths.databaseCopies)).filter((name) => !name.endsWith('Z.db')),
    [],
  );
});

test('killed while it restores: it can be repeated, and no server starts in between with less', async (t) => {
  const paths = await usedState(t);
  await truncate(paths.database, 5000);
  const [module, tables] = ['./platform-database.ts', './tables.fixture.ts'].map((name) =>
    JSON.stringify(import.meta.resolve(name)),
  );
  const script = `
    const { restoreDatabase } = await import(${module});
    const { testTables } = await import(${tables});
    console.log('begins');
    for (;;) await restoreDatabase(${JSON.stringify(paths)}, testTables);`;
  for (let round = 0; round < 10; round += 1) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (child.stdout) await once(child.stdout, 'data');
    await delay(Math.random() * 40); // the moment is the subject here
    child.kill('SIGKILL');
    await once(child, 'exit');
    const found = await notes(paths).catch((error: unknown) => {
      refusal(/missing or empty|damaged/)(error);
      return ['refused'];
    });
    assert.ok(['first', 'refused'].includes(found.join()), String(found));
  }
  await restoreDatabase(paths, testTables);
  assert.deepEqual(await notes(paths), ['first']);
});

test('on a full disk: users are told so, what was there stays, and it goes on once there is room', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-full-'));
  await run(['mount', '-t', 'tmpfs', '-o', 'size=1m,mode=700', 'walt-test', folder]);
  t.after(async () => {
    await run(['umount', '--', folder]);
    await rm(folder, { recursive: true });
  });
  const { database } = await openSqliteDatabase(join(folder, 'walt.db'), testTables);
  await addNote(database, 'before');
  await run(['sh', '-c', 'head -c 2000000 /dev/zero >"$1" || true', 'sh', join(folder, 'filler')], {}).catch(
    () => {},
  );
  const full = (error: unknown) => {
    assert.ok(isUserError(error), String(error));
    assert.equal(error.code, 'UNAVAILABLE');
    assert.match(error.message, /disk is full .*Nothing was changed/);
    assert.match(String(error.cause), /full|disk I\/O/i);
    return true;
  };
  for (let round = 0; round < 3; round += 1) {
    await assert.rejects(addNote(database, `row ${round}${'x'.repeat(20_000)}`), full);
    const transaction = database.transaction().execute(async (t) => {
      await addNote(t, `first ${round}`);
      await addNote(t, `second ${round}${'x'.repeat(20_000)}`);
    });
    await assert.rejects(transaction, full, 'and not what the rollback says');
  }
  await rm(join(folder, 'filler'));
  await addNote(database, `after${'x'.repeat(20_000)}`);
  const rows = await database.selectFrom('note').select('text').orderBy('text').execute();
  assert.deepEqual(
    rows.map(({ text }) => text.replace(/x+$/, '')),
    ['after', 'before'],
  );
  await database.destroy();
});
