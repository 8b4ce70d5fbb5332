/** Lines of a platform go from one database to the other one, whoever is killed. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { TestPostgres, there } from '../../../test/postgres.ts';
import { createLog, loadConfig, platformPaths } from '../../platform/index.ts';
import { bringLines } from './bring-lines.ts';
import { storedLine } from './chunk.ts';
import { textOf } from './chunk-rows.ts';
import { configuredPlace, notePlace, openable, placesOf } from './places.ts';
import { LogStore } from './store.ts';

const log = createLog('test', () => {});
const ABC = ['a', 'b', 'c'];
const T = 1_790_000_000_000_000;

let folder: string;
let postgres: TestPostgres;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-move-'));
  postgres = await TestPostgres.start();
});
after(async () => {
  await postgres?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});
beforeEach(() => postgres.ask('drop schema public cascade; create schema public'));

let count = 0;
/** A platform, whose configuration may name PostgreSQL. */
async function platform() {
  count += 1;
  const state = join(folder, `state${count}`);
  await mkdir(state);
  const file = join(folder, `server${count}.conf`);
  const configure = async (logs: object) => {
    await writeFile(file, JSON.stringify({ state, runtime: state, logs }));
    return await loadConfig(file);
  };
  return { file, configure, paths: platformPaths({ state, runtime: state, cache: state }) };
}

type Platform = Awaited<ReturnType<typeof platform>>;
type Config = Awaited<ReturnType<Platform['configure']>>;

/** As walt-logs has them open. */
async function opened(config: Config, paths: Platform['paths']): Promise<LogStore> {
  const here = configuredPlace(config);
  return await there(LogStore.open({ ...openable(here, paths), opened: () => notePlace(paths, here) }, log));
}

/** Lines `from` to `to` of each of some streams, in small chunks, some of which are merged; as a node brings them. */
async function fill(store: LogStore, from: number, to: number, names = ABC): Promise<void> {
  const clock = { boot: 'boot', least: -7, since: T, earlier: null, sent: to, told: to };
  for (let at = from; at < to; at += 1) {
    const stored = [storedLine(T + at, Buffer.from(`line ${at} \xff\0`, 'latin1'))];
    const streams = new Map(names.map((name) => [name, stored]));
    await store.append({ issuer: '10.0.0.2', streams, spool: { id: 'boot.1', reached: at + 1, clock } });
  }
  await store.merge();
}

/** All lines of each stream, by time. */
async function linesOf(store: LogStore): Promise<Record<string, string[]>> {
  const { heads, streams } = await store.heads(() => true, 0, Number.MAX_SAFE_INTEGER);
  const chunks = await store.chunks(heads.map(({ id }) => id));
  return Object.fromEntries(
    streams.map(({ id, issuer, name }) => {
      const texts = chunks
        .filter(({ stream }) => stream === id)
        .map((chunk) => textOf(chunk).toString('latin1'));
      const lines = texts.flatMap((text) => text.split('\n').slice(0, -1));
      return [`${issuer}.${name}`, lines.sort()];
    }),
  );
}

function expected(to: number, names = ABC): Record<string, string[]> {
  const lines = Array.from({ length: to }, (_, at) => `${T + at} line ${at} \xff\0`);
  return Object.fromEntries(names.map((name) => [`10.0.0.2.${name}`, lines]));
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

test('lines go to PostgreSQL and back, with how far spools are stored; the old database is emptied', async () => {
  const { configure, paths } = await platform();
  const said: string[] = [];
  const say = (text: string) => void said.push(text);
  const file = await configure({});
  const database = await configure({ database: postgres.url });

  let store = await opened(file, paths);
  await fill(store, 0, 40);
  const { reached } = await store.heads(() => true, 0, Number.MAX_SAFE_INTEGER);
  await store.close();
  await bringLines(database, paths, say);
  assert.match(
    said.join('\n'),
    /^Moving lines from .*logs\.db to database postgres of PostgreSQL at .*\n120 lines are moved/,
  );
  assert.equal(await exists(paths.logDatabase), false);

  store = await opened(database, paths);
  assert.deepEqual(await linesOf(store), expected(40));
  assert.equal(await store.reached('10.0.0.2', 'boot.1'), 40);
  assert.equal((await store.clock('10.0.0.2'))?.sent, 40);
  await fill(store, 40, 60);
  // Who follows lines goes on behind what he has seen in the other one: that arrived before all that comes now, and only once.
  const arrived = await store.arrivals(reached, 1000);
  assert.equal(arrived.length, 60);
  await store.close();

  await bringLines(file, paths, say);
  assert.equal(await postgres.ask("select count(*) from pg_tables where schemaname = 'public'"), '0');
  store = await opened(file, paths);
  assert.deepEqual(await linesOf(store), expected(60));
  assert.equal(await store.reached('10.0.0.2', 'boot.1'), 60);
  await store.close();
  assert.equal((await placesOf(paths)).length, 1);
  said.length = 0;
  await bringLines(file, paths, say);
  assert.deepEqual(said, [`All lines are in ${paths.logDatabase}.`]);
});

test('a database that had lines before the move keeps them', async () => {
  const { configure, paths } = await platform();
  const file = await configure({});
  const database = await configure({ database: postgres.url });
  let store = await opened(file, paths);
  await fill(store, 0, 20);
  await store.close();
  store = await opened(database, paths);
  await fill(store, 20, 30);
  await store.close();
  await bringLines(database, paths, () => {});
  store = await opened(database, paths);
  assert.deepEqual(await linesOf(store), expected(30));
  assert.equal(await store.reached('10.0.0.2', 'boot.1'), 30);
  await store.close();
});

test('lines that are not the same in the copy stay where they are', async () => {
  const { configure, paths } = await platform();
  const file = await configure({});
  const database = await configure({ database: postgres.url });
  const store = await opened(file, paths);
  await fill(store, 0, 20);
  await store.close();
  const empty = await opened(database, paths);
  await empty.close();
  // As a disk would that returns other bytes than it got.
  await postgres.ask(`
    create function spoil() returns trigger language plpgsql as $$
      begin new.data = set_byte(new.data, 0, 0); return new; end $$;
    create trigger spoil before insert on log_chunk for each row execute function spoil()`);
  await assert.rejects(
    bringLines(database, paths, () => {}),
    {
      code: 'UNAVAILABLE',
      message: /Lines of stream [abc] of 10\.0\.0\.2 are not the same in both databases/,
    },
  );
  await postgres.ask('drop trigger spoil on log_chunk');
  await bringLines(database, paths, () => {});
  const moved = await opened(database, paths);
  assert.deepEqual(await linesOf(moved), expected(20));
  await moved.close();
});

/** `walt-server migrate-logs`, as a program; `kill` may end it. Answers whether it came to its end. */
async function moveInProgram(file: string, kill: (child: ChildProcess) => Promise<void>): Promise<boolean> {
  await postgres.idle();
  const program = `
    import { bringLines } from ${JSON.stringify(import.meta.resolve('./bring-lines.ts'))};
    import { loadConfig, platformPaths } from ${JSON.stringify(import.meta.resolve('../../platform/index.ts'))};
    const config = await loadConfig(${JSON.stringify(file)});
    await bringLines(config, platformPaths(config), () => {});`;
  const argv = ['--pdeathsig', 'KILL', '--', process.execPath, '--input-type=module', '-e', program];
  const child = spawn('setpriv', argv, { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  await Promise.race([ended, kill(child)]);
  const [status, signal] = await ended;
  assert.ok(status === 0 || signal === 'SIGKILL', `status ${status}`);
  return status === 0;
}

test('killed again and again, a move goes on, also where lines come in between; none is lost or there twice', async () => {
  const { configure, paths, file: configFile } = await platform();
  // So many that they are not merged, and no transaction takes them all.
  const names = Array.from({ length: 20 }, (_, at) => `s${at}`);
  const file = await configure({});
  let store = await opened(file, paths);
  await fill(store, 0, 12, names);
  await store.close();
  const database = await configure({ database: postgres.url });
  store = await opened(database, paths);
  await store.close();
  const copied = async () => Number(await postgres.ask('select count(origin) from log_chunk'));
  // Each program is killed while it copies: some chunk waits until it may go on.
  await postgres.ask(`
    create table gate (closed bigint);
    insert into gate values (100);
    create function wait() returns trigger language plpgsql as $$ begin
      while exists (select from gate where closed <= new.origin) loop perform pg_sleep(0.01); end loop;
      return new;
    end $$;
    create trigger wait before insert on log_chunk for each row execute function wait()`);
  for (const lines of [12, 13]) {
    const before = await copied();
    const done = await moveInProgram(configFile, async (child) => {
      while ((await copied()) === before) await delay(5);
      child.kill('SIGKILL');
    });
    assert.equal(done, false);
    assert.ok((await copied()) < 12 * names.length);
    await postgres.ask('update gate set closed = closed + 100');
    await postgres.idle();
    if (lines === 13) break;
    // The administrator has changed his mind for a while.
    store = await opened(file, paths);
    await fill(store, 12, 13, names);
    await store.tidy();
    await store.close();
  }
  await postgres.ask('delete from gate');
  assert.equal(await moveInProgram(configFile, () => new Promise(() => {})), true);
  store = await opened(database, paths);
  assert.deepEqual(await linesOf(store), expected(13, names));
  await store.close();
  await postgres.ask('drop table gate; drop function wait cascade');

  // And back, killed wherever it is by then.
  await configure({});
  for (let kill = 1, done = false; !done; kill += 1) {
    done = await moveInProgram(configFile, async (child) => {
      await delay(200 * kill);
      child.kill('SIGKILL');
    });
  }
  store = await opened(file, paths);
  assert.deepEqual(await linesOf(store), expected(13, names));
  await store.close();
});
