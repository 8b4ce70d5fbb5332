/** What becomes of nodes' /persist when a disk is full or damaged. */
import assert from 'node:assert/strict';
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../../../../../test/until.ts';
import { closeDisks, loopDevicesOf, openVolumesDisk, run } from '../../platform/index.ts';
import { Bridge } from '../bridge.ts';
import { Machine, testInNamespace, testPlatform } from '../namespace.fixture.ts';
import { parseSubnet } from '../subnet.ts';
import { NfsServer } from './nfs.ts';
import { openPortmapper } from './portmapper.ts';

const MEBI = 1024 ** 2;
/** NFS4ERR_NOSPC (RFC 7530, 13.1.4.8). */
const NOSPC = 28;
/** NFS4ERR_IO. */
const IO = 5;
const subnet = parseSubnet('10.99.0.0/24');

testInNamespace(import.meta.filename, (state) => {
  const { paths, programs, log } = testPlatform(state);
  const small = join(state, 'small-disk');
  const persistSize = 32 * MEBI;
  const first = { id: 1, file: join(paths.persist, 'alice/1.img'), ip: '10.99.0.2' };
  const second = { id: 2, file: join(small, 'bob/2.img'), ip: '10.99.0.3' };
  let nfs: NfsServer;
  let one: Machine;
  let two: Machine;

  before(async () => {
    await Bridge.open('walt0', subnet);
    await openPortmapper(subnet.server);
    await openVolumesDisk(paths);
    await mkdir(small);
    await run(['mount', '-t', 'tmpfs', '-o', 'size=20m', 'walt-test', small]);
    nfs = await NfsServer.open({ subnet, paths, programs, persistSize, log });
    one = await Machine.plug(1, 'walt0', { ip: '10.99.0.2/24' });
    two = await Machine.plug(2, 'walt0', { ip: '10.99.0.3/24' });
    await nfs.setExports([first, second]);
  });
  after(async () => {
    await one.unplug();
    await two.unplug();
    await programs.stop('nfs');
    programs.close();
    await closeDisks(paths);
    await run(['umount', small]);
    assert.deepEqual(await loopDevicesOf(state), []);
  });

  const url = (path: string) => `nfs://${subnet.server}${path}?version=4&uid=0&gid=0`;
  const read = async (machine: Machine, path: string) => {
    const { status, output } = await machine.attempt('nfs-cat', url(path));
    return status === 0 ? output : undefined;
  };
  const write = async (machine: Machine, path: string, content: string | Buffer) => {
    await writeFile(join(state, 'to-write'), content);
    return machine.attempt('nfs-cp', join(state, 'to-write'), url(path));
  };
  /** Writes so many MiB; answers the status of the write that failed, else 0. */
  const fill = async (machine: Machine, path: string, mebibytes: number) => {
    const program = join(import.meta.dirname, 'nfs-fill.fixture.ts');
    const { output } = await machine.attempt(
      process.execPath,
      program,
      subnet.server,
      path,
      String(mebibytes),
    );
    return Number(output);
  };
  const writes = (path: string) =>
    writeFile(path, 'a volume').then(
      () => true,
      () => false,
    );
  /** Name of the loop device at a mount point, as the NFS server sees it. */
  const deviceOf = async (point: string) => {
    const pid = programs.pid('nfs');
    const table = await readFile(`/proc/${pid}/mountinfo`, 'utf8');
    const line = table.split('\n').find((each) => each.includes(point));
    return /(\/dev\/loop\d+)/.exec(line ?? '')?.[1]?.slice('/dev/'.length) ?? '';
  };

  it('a node that writes beyond its limit is told so, and no other one is disturbed', async () => {
    assert.equal((await write(one, '/persist/1/large', '')).status, 0);
    assert.equal(await fill(one, '/persist/1/large', 40), NOSPC);
    assert.equal((await write(two, '/persist/2/small', 'of two')).status, 0);
    assert.equal(await read(two, '/persist/2/small'), 'of two');
  });

  it('a disk that is full below is told to the node, and goes on when there is room', async () => {
    const filler = join(small, 'filler');
    await writeFile(filler, Buffer.alloc(11 * MEBI, 1));
    assert.equal((await write(two, '/persist/2/large', '')).status, 0);
    // The kernel tells a write below that was done in part as an error of the disk.
    assert.ok([NOSPC, IO].includes(await fill(two, '/persist/2/large', 16)));
    assert.equal((await write(one, '/persist/1/small', 'of one')).status, 0, 'another disk is not full');
    await rm(filler);
    while ((await write(two, '/persist/2/again', 'of two')).status !== 0) await nfs.mend();
    assert.equal(await read(two, '/persist/2/again'), 'of two');
    assert.equal(await read(two, '/persist/2/small'), 'of two', 'what was there before is there');
  });

  it('an administrator looks into it on the server, while the node uses it', async () => {
    const at = join(state, 'looked-at');
    await mkdir(at);
    await run(['mount', '-o', 'loop,nosuid,nodev,noexec', first.file, at]);
    assert.equal(await readFile(join(at, 'small'), 'utf8'), 'of one');
    await run(['umount', at]);
    assert.equal((await write(one, '/persist/1/meanwhile', 'of one')).status, 0);
  });

  it('a limit that became larger holds from the next start of the NFS server on', async () => {
    await programs.stop('nfs');
    // Its mounts go a moment after it: as long as an image is mounted, it does not grow.
    await until('the end of its mounts', async () => (await loopDevicesOf(paths.persist)).length === 0);
    nfs = await NfsServer.open({ subnet, paths, programs, persistSize: 64 * MEBI, log });
    await nfs.setExports([first, second]);
    assert.equal(await read(one, '/persist/1/small'), 'of one');
    assert.equal(await fill(one, '/persist/1/large', 40), 0);
  });

  it('what the kernel has made read-only is mended by itself', async () => {
    const [name = ''] = (await readdir(join(paths.services, 'nfs/mounts/list'))).filter((each) =>
      each.startsWith('persist-1-'),
    );
    await writeFile(`/sys/fs/ext4/${await deviceOf(`/${name} `)}/trigger_fs_error`, 'a test');
    assert.notEqual((await write(one, '/persist/1/refused', 'x')).status, 0);
    const before = programs.pid('nfs');
    while (programs.pid('nfs') === before) {
      await nfs.mend();
      await delay(20);
    }
    assert.equal((await write(one, '/persist/1/accepted', 'of one')).status, 0);
    assert.equal(await read(one, '/persist/1/small'), 'of one');
  });

  it('so are the volumes', async () => {
    await writeFile(join(paths.volumes, 'before'), 'a volume', { flush: true });
    await writeFile(`/sys/fs/ext4/${await deviceOf(` ${paths.volumes} `)}/trigger_fs_error`, 'a test');
    await assert.rejects(writeFile(join(paths.volumes, 'during'), 'x'));
    while (!(await writes(join(paths.volumes, 'after')))) await nfs.mend();
    assert.equal(await read(one, '/volumes/before'), 'a volume');
    assert.equal(await read(one, '/volumes/after'), 'a volume');
    assert.equal(await read(one, '/persist/1/small'), 'of one');
  });

  it('a /persist that is damaged beyond repair is not exported, nor is anything in its place; others are', async () => {
    await nfs.setExports([first]);
    const file = await open(second.file, 'r+');
    await file.write(Buffer.alloc(20 * MEBI), 0, 20 * MEBI, 0);
    await file.close();
    await assert.rejects(nfs.setExports([first, second]), {
      code: 'UNAVAILABLE',
      message: /2\.img/,
      hint: /e2fsck/,
    });
    assert.equal(await read(one, '/persist/1/small'), 'of one');
    assert.equal(await read(two, '/persist/2/small'), undefined);
    assert.notEqual((await write(two, '/persist/2/lost', 'x')).status, 0);
  });

  it('one that is damaged while the NFS server is away keeps nobody else from theirs', async () => {
    const third = { id: 3, file: join(paths.persist, 'carol/3.img'), ip: second.ip };
    await nfs.setExports([first, third]);
    assert.equal((await write(two, '/persist/3/mine', 'of three')).status, 0);
    await writeFile(`${third.file}.new`, Buffer.alloc(20 * MEBI));
    await rename(`${third.file}.new`, third.file);
    programs.signal('nfs', 'SIGKILL');
    while ((await read(one, '/persist/1/small')) !== 'of one') await delay(20);
    assert.notEqual((await write(two, '/persist/3/lost', 'x')).status, 0);
  });
});
