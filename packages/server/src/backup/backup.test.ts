import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { extract, pack } from 'tar-stream';
import {
  addTiny,
  closePlatform,
  openPlatform,
  type Platform,
  quiet,
  reopenPlatform,
  temporaryFolder,
} from '../../test/platform.ts';
import {
  askServer,
  type Config,
  ensureDiskImage,
  fileExists,
  platformPaths,
  RootSocket,
  run,
  unmountIn,
} from '../platform/index.ts';
import { serverTables } from '../tables.ts';
import {
  backUp,
  holdImages,
  listBackups,
  requireRestored,
  restoreBackup,
  toldByLines,
  verifyBackups,
} from './index.ts';

const MIB = 1024 ** 2;
const told = toldByLines(() => {});
const apart = ['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-euc'];

const folder = await temporaryFolder();
const target = join(folder, 'backups');
const platform = await openPlatform(join(folder, 'first'));
const config: Config = platform.deps.config;
after(async () => {
  await closePlatform(platform).catch(() => {});
  // What containers/storage mounts upon itself, of each platform.
  await unmountIn(folder);
  await rm(folder, { recursive: true, force: true });
});

const { paths } = platform;
const tiny = await addTiny(platform);
const persist = join(paths.persist, 'ann', '1.img');
await ensureDiskImage(persist, 64 * MIB);
await inDisk(persist, 'echo 42 > answer; head -c 16M /dev/urandom > noise');
await mkdir(join(paths.keys, 'hosts'), { recursive: true });
await writeFile(join(paths.keys, 'hosts', '1'), 'secret', { mode: 0o600 });
await stopped();

/** The platform's server ends: what it knows is in its folder. */
async function stopped(): Promise<void> {
  await closePlatform(platform);
  using database = new DatabaseSync(paths.database);
  const id = database.prepare('SELECT id FROM platform').get()?.id;
  await writeFile(paths.identity, `${id}\n`);
}

/** Runs commands in a file system of /persist; answers what they print. */
function inDisk(image: string, commands: string): Promise<string> {
  const script = 'mount -o loop "$1" /mnt; cd /mnt; eval "$2"; cd /; umount /mnt';
  return run([...apart, script, 'sh', image, commands]);
}

/** A machine without a platform. */
function machine(name: string): Config {
  return { ...config, state: join(folder, name, 'state'), runtime: join(folder, name, 'run') };
}

async function bringBack(to: Config, from: string, name?: string) {
  return restoreBackup(to, { folder: from, name, tables: serverTables, makeBootable: async () => {} }, told);
}

async function textOf(from: Platform, name: string, path: string): Promise<string> {
  const reader = extract();
  (await from.images.readFiles(await from.images.get('ann', name), path)).pipe(reader);
  let content = '';
  for await (const entry of reader) content += await text(entry);
  return content;
}

/** A copy of the backups, for a test that damages them. */
async function copyOfBackups(name: string): Promise<string> {
  const copy = join(folder, name);
  await cp(target, copy, { recursive: true });
  return copy;
}

test('a backup has images, keys and /persist; the next one copies what is new', async () => {
  const first = await backUp(config, target, {}, told);
  assert.deepEqual([first.images, first.disks, first.missing, first.damaged], [1, 1, [], []]);
  assert.ok(first.added > 17 * MIB, String(first.added));
  const again = await backUp(config, target, {}, told);
  assert.ok(again.name > first.name);
  // The database, and where a file system notes that it was mounted.
  assert.ok(again.added < 4 * MIB, `${again.added} bytes came again`);

  await reopenPlatform(platform);
  const tar = pack();
  tar.entry({ name: 'new' }, 'x'.repeat(100_000));
  tar.finalize();
  await platform.images.writeFiles(
    'ann',
    await platform.images.get('ann', 'tiny'),
    '/home/ann',
    Readable.from(tar),
  );
  await stopped();
  await inDisk(persist, 'head -c 1M /dev/urandom > more');
  const changed = await backUp(config, target, {}, told);
  assert.ok(changed.added < 12 * MIB, `${changed.added} bytes came, though little is new`);
  // The history still has the older version.
  assert.equal(changed.images, 2);
  const verified = await verifyBackups(target, told);
  assert.deepEqual(
    verified.map(({ name, faults }) => [name, faults]),
    [
      [changed.name, []],
      [again.name, []],
      [first.name, []],
    ],
  );
  for (const name of ['blobs', 'generations'])
    assert.equal((await stat(join(target, name))).mode & 0o777, 0o700);
});

test('a platform is brought back onto another machine', async () => {
  const there = machine('second');
  const { images, disks } = await bringBack(there, target);
  assert.deepEqual([images, disks], [2, 1]);
  const restored = platformPaths(there);
  assert.equal(await readFile(join(restored.keys, 'hosts', '1'), 'utf8'), 'secret');
  assert.equal((await stat(join(restored.keys, 'hosts', '1'))).mode & 0o777, 0o600);
  assert.equal(await readFile(restored.identity, 'utf8'), await readFile(paths.identity, 'utf8'));
  const disk = join(restored.persist, 'ann', '1.img');
  await run(['e2fsck', '-f', '-n', disk]);
  assert.equal(await inDisk(disk, 'cat answer; stat -c %s noise more'), `42\n${16 * MIB}\n${MIB}\n`);
  const second = await openPlatform(join(folder, 'second'));
  const image = await second.images.get('ann', 'tiny');
  assert.equal(image.layers.length, tiny.layers.length + 1);
  assert.equal(await textOf(second, 'tiny', '/home/ann/new'), 'x'.repeat(100_000));
  assert.equal(await textOf(second, 'tiny', '/etc/greeting'), 'hello\n');
  await closePlatform(second);
  // It has a platform now.
  await assert.rejects(bringBack(there, target), { code: 'CONFLICT', message: /is not empty: it has / });
});

test('an older backup can be chosen', async () => {
  const [, , oldest] = await listBackups(target);
  const there = machine('older');
  await bringBack(there, target, oldest?.name);
  const older = await openPlatform(join(folder, 'older'));
  assert.equal((await older.images.get('ann', 'tiny')).digest, tiny.digest);
  await closePlatform(older);
});

const torn: [what: string, damage: (blob: string) => Promise<void>, words: RegExp][] = [
  ['is missing', (blob) => rm(blob), /is torn: the content sha256:[0-9a-f]{64} is missing/],
  ['was cut off', (blob) => truncate(blob, 1000), /has 1000 bytes, not \d+/],
  [
    'has another byte',
    async (blob) => {
      const bytes = await readFile(blob);
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
      await writeFile(blob, bytes);
    },
    /has another content/,
  ],
];
for (const [index, [what, damage, words]] of torn.entries()) {
  test(`a backup of which a content ${what} is refused before anything is written`, async () => {
    const copy = await copyOfBackups(`torn-${index}`);
    const hex = tiny.layers[0]?.slice('sha256:'.length) ?? '';
    await damage(join(copy, 'blobs', hex.slice(0, 2), hex));
    const there = machine(`torn-${index}-to`);
    await assert.rejects(bringBack(there, copy), { code: 'INVALID', message: words });
    assert.equal(await fileExists(there.state), false);
    const verified = await verifyBackups(copy, told);
    assert.ok(verified.every(({ faults }) => faults.length === 1));
  });
}

const refused: [what: string, change: (copy: string, newest: string) => Promise<void>, error: object][] = [
  [
    'whose list was cut off',
    (_, newest) => truncate(newest, 300),
    { code: 'INVALID', message: /is torn: its list/ },
  ],
  [
    'whose list was edited',
    async (_, newest) =>
      writeFile(newest, (await readFile(newest, 'utf8')).replace('"mode":384', '"mode":511')),
    { code: 'INVALID', message: /is torn: its list/ },
  ],
  [
    'that a newer WalT wrote',
    (_, newest) => rewrite(newest, (content) => ({ ...content, version: 2, walt: '12.0.0' })),
    { code: 'INVALID', message: /was written by WalT 12\.0\.0, in a form that this one does not know/ },
  ],
  [
    'that wants to write elsewhere',
    (_, newest) =>
      rewrite(newest, (content) => ({
        ...content,
        files: [{ in: 'machine', path: ['..', 'etc', 'x'], mode: 0o600, ...(content.database as object) }],
      })),
    { code: 'INVALID', message: /is torn/ },
  ],
  [
    'in a folder of a newer WalT',
    (copy) =>
      writeFile(join(copy, 'walt-backup.json'), '{"format":"walt-backup","version":7,"platform":"x"}'),
    { code: 'INVALID', message: /a newer WalT/ },
  ],
  [
    'in a folder that is none of ours',
    (copy) => writeFile(join(copy, 'walt-backup.json'), '{"format":"tar"}'),
    { code: 'INVALID', message: /is no folder of backups of WalT/ },
  ],
  [
    'of another platform',
    (copy) =>
      writeFile(join(copy, 'walt-backup.json'), '{"format":"walt-backup","version":1,"platform":"x"}'),
    { code: 'CONFLICT', message: /another platform/ },
  ],
];
for (const [index, [what, change, error]] of refused.entries()) {
  test(`a backup ${what} is refused`, async () => {
    const copy = await copyOfBackups(`refused-${index}`);
    const [name] = (await readdir(join(copy, 'generations'))).sort().reverse();
    await change(copy, join(copy, 'generations', name ?? ''));
    const there = machine(`refused-${index}-to`);
    await assert.rejects(bringBack(there, copy), error);
    assert.equal(await fileExists(there.state), false);
  });
}

/** Changes a list as one who knows how would do. */
async function rewrite(file: string, change: (content: Record<string, unknown>) => object): Promise<void> {
  const { createHash } = await import('node:crypto');
  const content = change(JSON.parse(await readFile(file, 'utf8')).content);
  const digest = `sha256:${createHash('sha256').update(JSON.stringify(content)).digest('hex')}`;
  await writeFile(file, JSON.stringify({ digest, content }));
}

test('a folder with something else in it, or of another platform, is not written into', async () => {
  const full = join(folder, 'full');
  await mkdir(full);
  await writeFile(join(full, 'thesis.tex'), '');
  await assert.rejects(backUp(config, full, {}, told), { code: 'INVALID', message: /has something in it/ });
  const copy = await copyOfBackups('foreign');
  await writeFile(join(copy, 'walt-backup.json'), '{"format":"walt-backup","version":1,"platform":"x"}');
  await assert.rejects(backUp(config, copy, {}, told), { code: 'CONFLICT', message: /another platform/ });
  const inside = join(paths.state, 'backups');
  await assert.rejects(backUp(config, inside, {}, told), { code: 'INVALID', message: /lie in each other/ });
});

test('all but the newest are removed, with what only they have', async () => {
  const copy = await copyOfBackups('kept');
  const before = await listBackups(copy);
  const { removed, name } = await backUp(config, copy, { keep: 1 }, told);
  assert.deepEqual(removed, before.map((backup) => backup.name).sort());
  const after = await verifyBackups(copy, told);
  assert.deepEqual(
    after.map((backup) => [backup.name, backup.faults]),
    [[name, []]],
  );
  const blobs = (await readdir(join(copy, 'blobs'), { recursive: true })).filter((path) => path.length > 3);
  assert.equal(blobs.length, after[0]?.contents);
});

/** Runs a backup or a restoration that is killed when it tells that step for the `calls`th time. */
async function killedAt(step: string, calls: number, task: object): Promise<void> {
  const fixture = join(import.meta.dirname, 'killed.fixture.ts');
  const child = spawn(process.execPath, [fixture, JSON.stringify({ ...task, step, calls })], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const complaint = text(child.stderr);
  const [, signal] = await once(child, 'close');
  assert.equal(signal, 'SIGKILL', await complaint);
}

test('a backup that is killed leaves those before it whole, and the next one goes on', async () => {
  const killed = join(folder, 'killed');
  for (const [step, calls] of [
    ['Image', 30],
    ['/persist 1 of 1', 10],
  ] as const) {
    await killedAt(step, calls, { act: 'backup', config, folder: killed });
    assert.deepEqual(await verifyBackups(killed, told), []);
    await assert.rejects(bringBack(machine('too-early'), killed), {
      code: 'NOT_FOUND',
      message: /no whole backup/,
    });
  }
  const { name } = await backUp(config, killed, {}, told);
  await killedAt('/persist 1 of 1', 1, { act: 'backup', config, folder: killed });
  const verified = await verifyBackups(killed, told);
  assert.deepEqual(
    verified.map((backup) => [backup.name, backup.faults]),
    [[name, []]],
  );
  await backUp(config, killed, {}, told);
  assert.deepEqual(await readdir(join(killed, 'incoming')), [], 'nothing is left of those that were killed');
});

test('a restoration that is killed is gone on with, and no server starts before', async () => {
  const there = machine('resumed');
  const state = platformPaths(there);
  for (const step of ['Image 2 of 2', 'Making what nodes need', 'Making the volumes']) {
    await killedAt(step, 1, { act: 'restore', config: there, folder: target });
    await assert.rejects(requireRestored(state), {
      message: /has not ended/,
      hint: /walt-server restore .* --from /,
    });
  }
  const [, other] = await listBackups(target);
  await assert.rejects(bringBack(there, target, other?.name), { code: 'CONFLICT', message: /has not ended/ });
  await bringBack(there, target);
  await requireRestored(state);
  const resumed = await openPlatform(join(folder, 'resumed'));
  assert.equal(await textOf(resumed, 'tiny', '/home/ann/new'), 'x'.repeat(100_000));
  await closePlatform(resumed);
  assert.equal(await inDisk(join(state.persist, 'ann', '1.img'), 'cat answer'), '42\n');
});

test('what is written meanwhile is in it up to one moment', async () => {
  const point = join(folder, 'node');
  await mkdir(point);
  // Each number is in the one file before it is in the other.
  const writing = `"$1" "$2" "$3"; cd "$3"; echo ready; n=0
    while [ ! -e stop ]; do n=$((n + 1)); echo $n >> one; echo $n >> two; done; cd /; umount "$3"`;
  const mount = join(import.meta.dirname, '../platform/disks/mount-image.sh');
  const node = spawn('unshare', [...apart.slice(1), writing, 'sh', mount, persist, point], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(node.stdout, 'data');
  const busy = join(folder, 'busy');
  const pid = Number((await run(['pgrep', '--parent', String(process.pid), '--newest', 'sh'])).trim());
  try {
    await backUp(config, busy, {}, told);
  } finally {
    await writeFile(`/proc/${pid}/root${point}/stop`, '');
    await once(node, 'close');
  }
  const there = machine('moment');
  await bringBack(there, busy);
  const disk = join(platformPaths(there).persist, 'ann', '1.img');
  await run(['e2fsck', '-f', '-n', disk]);
  const [one = 0, two = 0] = (await inDisk(disk, 'tail -n 1 one; tail -n 1 two')).split('\n').map(Number);
  assert.ok(one === two || one === two + 1, `${one} ${two}`);
  assert.ok(one > 0);
});

test('a running server keeps images until the backup has ended, and one at a time may run', async () => {
  await reopenPlatform(platform);
  const doomed = await addTiny(platform, 'doomed', 'other files');
  const copy = join(folder, 'copy.db');
  const root = new RootSocket({
    acts: {
      hold: holdImages(platform.images, async () => {
        await run(['cp', '--', paths.database, copy]);
        return { path: copy };
      }),
    },
    ...{ limits: config.limits.clients, log: quiet },
  });
  await root.listen(paths.rootSocket);
  assert.equal((await stat(paths.rootSocket)).mode & 0o777, 0o600);
  const letGo = new AbortController();
  const held = askServer(paths.rootSocket, 'hold', letGo.signal);
  assert.deepEqual((await held.next()).value, { copy });
  await platform.images.remove('ann', doomed);
  await platform.images.collect(new Set(), 0);
  assert.ok(await platform.images.byDigest(doomed.digest), 'it is kept for the backup');
  const end = assert.rejects(held.next(), { code: 'UNAVAILABLE' });
  letGo.abort();
  await end;
  while (await platform.images.byDigest(doomed.digest)) await platform.images.collect(new Set(), 0);
  await root.close();
});
