/** What changes while it is saved, beside /persist: disks of a machine that writes, and lines of logs that come in. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdir, open, readdir, readFile, readlink, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { until } from '../../../../test/until.ts';
import { closePlatform, openPlatform, type Platform, temporaryFolder } from '../../test/platform.ts';
import { Logs, openKeeper } from '../logs/index.ts';
import {
  defaultLimits,
  identifyProcess,
  type Paths,
  platformPaths,
  projectFile,
  run,
  unmountIn,
} from '../platform/index.ts';
import { serverTables } from '../tables.ts';
import { backUp, restoreBackup, toldByLines } from './index.ts';

const MIB = 1024 ** 2;
const told = toldByLines(() => {});
const log = { info() {}, warn() {}, error() {} };

let folder: string;
let platform: Platform;

before(async () => {
  folder = await temporaryFolder();
  platform = await openPlatform(join(folder, 'first'));
  // Backups of a platform without a server.
  await closePlatform(platform);
  using database = new DatabaseSync(platform.paths.database);
  await writeFile(platform.paths.identity, `${database.prepare('SELECT id FROM platform').get()?.id}\n`);
});
after(async () => {
  await unmountIn(folder);
  await rm(folder, { recursive: true, force: true });
});

/** Onto another machine; answers its paths. */
async function broughtBack(name: string, from: string) {
  const to = {
    ...platform.deps.config,
    ...{ state: join(folder, name, 'state'), runtime: join(folder, name, 'run') },
  };
  await restoreBackup(to, { folder: from, tables: serverTables, makeBootable: async () => {} }, told);
  return platformPaths(to);
}

test('disks of a machine that writes are those of one moment, and it goes on', async () => {
  const { paths } = platform;
  const own = join(paths.virtual, '7');
  await mkdir(own, { recursive: true });
  const [one, two] = [join(own, 'disk1.none.img'), join(own, 'disk2.none.img')];
  await writeFile(join(own, 'disk3.none.img'), '');
  await truncate(join(own, 'disk3.none.img'), 64 * MIB);
  // Each number is on the one disk before it is on the other.
  const script = 'n=0; while [ ! -e "$3" ]; do n=$((n + 1)); echo $n >>"$1"; echo $n >>"$2"; done';
  const machine = spawn('sh', ['-c', script, 'sh', one, two, join(own, 'stop')], { stdio: 'ignore' });
  const ended = once(machine, 'close');
  try {
    const identity = identifyProcess(machine.pid ?? 0);
    const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    await mkdir(paths.programs, { recursive: true });
    await writeFile(join(paths.programs, 'vm-7.json'), JSON.stringify({ argv: [], ...identity, bootId }));
    await until('it writes', () =>
      stat(two).then(
        ({ size }) => size > 1000,
        () => false,
      ),
    );
    const { nodeDisks } = await backUp(platform.deps.config, join(folder, 'disks'), {}, told);
    assert.equal(nodeDisks, 3);
    const { size } = await stat(two);
    await until('it goes on', async () => (await stat(two)).size > size);
  } finally {
    await writeFile(join(own, 'stop'), '');
    await ended;
  }
  const restored = join((await broughtBack('second', join(folder, 'disks'))).virtual, '7');
  const last = async (name: string) =>
    Number((await readFile(join(restored, name), 'utf8')).trimEnd().split('\n').at(-1));
  const [first, second] = [await last('disk1.none.img'), await last('disk2.none.img')];
  assert.ok(first === second || first === second + 1, `${first} ${second}`);
  const empty = await stat(join(restored, 'disk3.none.img'));
  assert.deepEqual([empty.size, empty.blocks], [64 * MIB, 0]);
});

test('a virtual node that is removed while others are saved is left out', async () => {
  const { paths } = platform;
  for (const id of ['8', '9']) {
    await mkdir(join(paths.virtual, id), { recursive: true });
    await writeFile(join(paths.virtual, id, 'disk1.none.img'), id);
  }
  const step = (title: string) => () => {
    if (title.startsWith('Disks of')) rmSync(join(paths.virtual, '9'), { recursive: true, force: true });
  };
  await backUp(platform.deps.config, join(folder, 'removed'), {}, { ...told, step });
  const restored = await broughtBack('fifth', join(folder, 'removed'));
  assert.equal(await readFile(join(restored.virtual, '8', 'disk1.none.img'), 'utf8'), '8');
  assert.equal((await readdir(restored.virtual)).includes('9'), false);
});

/** Whether a child of that process has the file open. */
async function childHas(parent: number | undefined, file: string): Promise<boolean> {
  const children = (await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8')).trim().split(' ');
  const files = children.map(async (pid) => {
    const names = await readdir(`/proc/${pid}/fd`).catch(() => []);
    return Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')));
  });
  return (await Promise.all(files)).flat().includes(file);
}

test('whatever ends a copy, the machine goes on once nothing is copied any more', async () => {
  const script = projectFile('packages/server/src/backup/copy-machine-disks.sh');
  const into = join(folder, 'cut off');
  await mkdir(into);
  // Its copy ends when nobody has it open for writing.
  const disk = join(folder, 'endless');
  await run(['mkfifo', disk]);
  const machine = spawn('sleep', ['1000'], { stdio: 'ignore' });
  const ended = once(machine, 'close');
  const state = async () => /^State:\t(.)/m.exec(await readFile(`/proc/${machine.pid}/status`, 'utf8'))?.[1];
  try {
    for (const signal of ['SIGTERM', 'SIGKILL', undefined] as const) {
      const writer = await open(disk, 'r+');
      const copy = spawn(script, [String(machine.pid), into, disk], { stdio: 'ignore' });
      const over = once(copy, 'close');
      await until('it is copied', () => childHas(copy.pid, disk));
      assert.equal(await state(), 'T');
      if (signal) copy.kill(signal);
      await writer.close();
      await over;
      await until('it goes on', async () => (await state()) === 'S');
    }
  } finally {
    machine.kill('SIGKILL');
    await ended;
  }
});

/** The program that keeps lines of a platform; how far what two consoles printed is stored. */
async function keeping(paths: Paths) {
  await mkdir(dirname(paths.logSocket), { recursive: true });
  const addresses = { first: '127.0.0.1', last: '127.0.0.9' };
  const keeper = await openKeeper({
    ...{ place: { file: paths.logDatabase }, paths, log, limits: defaultLimits() },
    ...{ keep: { days: 36_500, size: 2 ** 30 }, address: '127.0.0.1', port: 0, nodes: addresses },
    ...{ messages: { syslog: 0, netconsole: 0 }, machines: addresses },
    thread: new URL('../logs/program/queries/thread.ts', import.meta.url),
  });
  const logs = new Logs(paths, log);
  const put = (spool: string, reached: number, ...lines: string[]) =>
    logs.keepConsole({
      ...{ issuer: '10.73.0.7', stream: 'console', spool, from: 0, reached, time: Date.now() * 1000 },
      lines: lines.map((line) => Buffer.from(line)),
    });
  return {
    put,
    reached: async () => [await put('console.a', 0), await put('console.b', 0)],
    [Symbol.asyncDispose]: async () => {
      logs.close();
      await keeper[Symbol.asyncDispose]();
    },
  };
}

test('lines of logs are in it: of a program that keeps some, and of one that has ended', async () => {
  const { config } = platform.deps;
  const [during, after] = [join(folder, 'during'), join(folder, 'after')];
  {
    await using kept = await keeping(platform.paths);
    await kept.put('console.a', 4, 'one');
    assert.equal((await backUp(config, during, {}, told)).lines, true);
    await kept.put('console.b', 4, 'two');
  }
  await backUp(config, after, {}, told);
  for (const [name, from, reached] of [
    ['third', during, [4, 0]],
    ['fourth', after, [4, 4]],
  ] as const) {
    await using kept = await keeping(await broughtBack(name, from));
    assert.deepEqual(await kept.reached(), reached);
  }
});
