import assert from 'node:assert/strict';
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  closeDisks,
  loopDevicesOf,
  makeDiskImage,
  makeErofs,
  openVolumesDisk,
} from '../../platform/index.ts';
import { Bridge } from '../bridge.ts';
import { Machine, testInNamespace, testPlatform } from '../namespace.fixture.ts';
import { parseSubnet } from '../subnet.ts';
import { NfsServer } from './nfs.ts';
import { openPortmapper } from './portmapper.ts';

const subnet = parseSubnet('10.99.0.0/24');

testInNamespace(import.meta.filename, (state) => {
  const { paths, programs, log } = testPlatform(state);
  let nfs: NfsServer;
  let one: Machine;
  let two: Machine;
  const persistSize = 64 * 1024 ** 2;
  const file = (name: string) => join(paths.persist, `${name}.img`);
  const first = { id: 1, file: file('alice/1'), ip: '10.99.0.2' };
  const second = { id: 2, file: file('bob/2'), ip: '10.99.0.3' };

  before(async () => {
    await Bridge.open('walt0', subnet);
    await openPortmapper(subnet.server);
    await openVolumesDisk(paths);
    nfs = await NfsServer.open({ subnet, paths, programs, persistSize, log });
    one = await Machine.plug(1, 'walt0', { ip: '10.99.0.2/24' });
    two = await Machine.plug(2, 'walt0', { ip: '10.99.0.3/24' });
  });
  after(async () => {
    await one.unplug();
    await two.unplug();
    await programs.stop('nfs');
    programs.close();
    await closeDisks(paths);
    assert.deepEqual(await loopDevicesOf(state), []);
  });

  const url = (path: string) => `nfs://${subnet.server}${path}?version=4&uid=0&gid=0`;
  /** Content of a file as a machine reads it, or undefined when it may not or cannot. */
  const read = async (machine: Machine, path: string) => {
    const { status, output } = await machine.attempt('nfs-cat', url(path));
    return status === 0 ? output : undefined;
  };
  const write = async (machine: Machine, path: string, content: string) => {
    const file = join(state, 'to-write');
    await writeFile(file, content);
    return (await machine.attempt('nfs-cp', file, url(path))).status === 0;
  };

  it('lets every machine read the volumes, at once when they are new, and none write there', async () => {
    assert.equal(await read(one, '/volumes/sha256-1.erofs'), undefined);
    await writeFile(join(paths.volumes, 'sha256-1.tmp'), 'volume');
    await rename(join(paths.volumes, 'sha256-1.tmp'), join(paths.volumes, 'sha256-1.erofs'));
    assert.equal(await read(one, '/volumes/sha256-1.erofs'), 'volume');
    assert.equal(await read(two, '/volumes/sha256-1.erofs'), 'volume');
    assert.equal(await write(two, '/volumes/sha256-2.erofs', 'x'), false);
  });

  it('lets a machine write in its own /persist, and reach no other', async () => {
    await nfs.setExports([first, second]);
    assert.equal(await write(one, '/persist/1/result', 'of one'), true);
    assert.equal(await write(two, '/persist/2/result', 'of two'), true);
    assert.equal(await read(one, '/persist/1/result'), 'of one');
    assert.equal(await read(two, '/persist/1/result'), undefined);
    assert.equal(await write(two, '/persist/1/intruder', 'x'), false);
    const { output } = await two.attempt('nfs-ls', url('/persist'));
    assert.match(output, / 2$/m);
    assert.doesNotMatch(output, / 1$/m);
  });

  it('drops an export, moves one to another folder, and gives one to another address', async () => {
    await nfs.setExports([first, second]);
    await nfs.setExports([second]);
    assert.equal(await read(one, '/persist/1/result'), undefined);
    const moved = { ...second, file: file('carol/2') };
    await nfs.setExports([moved]);
    assert.equal(await read(two, '/persist/2/result'), undefined);
    assert.equal(await write(two, '/persist/2/new', 'of carol'), true);
    await nfs.setExports([{ ...moved, file: second.file }]);
    assert.equal(await read(two, '/persist/2/new'), undefined);
    assert.equal(await read(two, '/persist/2/result'), 'of two');
    await nfs.setExports([moved]);
    await nfs.setExports([{ ...moved, ip: first.ip }]);
    assert.equal(await read(two, '/persist/2/new'), undefined);
    assert.equal(await read(one, '/persist/2/new'), 'of carol');
  });

  it('gives an image’s tree to one machine by every path, by NFSv3 and NFSv4, also after kill -9', async () => {
    const layer = async (name: string, file: string) => {
      await mkdir(join(state, name, 'diff', 'etc'), { recursive: true });
      await writeFile(join(state, name, 'diff', 'etc', file), `${file} of ${name}`);
      return join(state, name);
    };
    const uuid = (digit: string) => `00000000-0000-0000-0000-${digit.repeat(12)}`;
    const image = (name: string) => join(paths.volumes, `${name}.img`);
    await layer('lower', 'b');
    await makeErofs(await layer('lower', 'a'), image('lower'), 'kept', { uuid: uuid('1') });
    await makeErofs(await layer('middle', 'c'), image('middle'), 'kept', { uuid: uuid('2') });
    await makeDiskImage(image('upper'), { size: 16 * 1024 ** 2, content: await layer('upper', 'b') });
    const lower = [image('upper'), image('middle'), image('lower')];
    const [byIp, byMac] = ['10.99.0.2', '52:54:00:00:00:01'].map((key) => `/var/lib/walt/nodes/${key}/fs`);
    assert.ok(byIp && byMac);
    const both: string[] = [byIp, byMac];
    const tree = { name: 'tree-1', lower };
    await nfs.setExports([first], [{ tree, paths: [byIp, byMac], ip: first.ip }]);
    const cat = (machine: Machine, version: number, path: string): ReturnType<Machine['attempt']> =>
      machine.attempt(...['nfs-cat', `nfs://${subnet.server}${path}?version=${version}&uid=0&gid=0`]);
    const check = async () => {
      for (const version of [3, 4]) {
        for (const path of both) {
          assert.equal((await cat(one, version, `${path}/etc/a`)).output, 'a of lower');
          assert.equal((await cat(one, version, `${path}/etc/b`)).output, 'b of upper');
          assert.equal((await cat(one, version, `${path}/etc/c`)).output, 'c of middle');
        }
        assert.notEqual((await cat(two, version, `${byIp}/etc/a`)).status, 0);
      }
    };
    await check();
    programs.signal('nfs', 'SIGKILL');
    await nfs.setExports([first, second], [{ tree, paths: [byIp, byMac], ip: first.ip }]);
    await check();
    await nfs.setExports([first]);
    assert.notEqual((await cat(one, 3, `${byIp}/etc/a`)).status, 0);
    const list = await readdir(join(paths.services, 'nfs', 'mounts', 'list'));
    assert.deepEqual(
      list.map((name) => name.split('-', 2).join('-')),
      ['persist-1'],
    );
  });

  it('takes over changes that come together, the last one last', async () => {
    await Promise.all([nfs.setExports([first]), nfs.setExports([]), nfs.setExports([first, second])]);
    assert.equal(await read(one, '/persist/1/result'), 'of one');
    assert.equal(await read(two, '/persist/2/result'), 'of two');
  });

  it('is back after kill -9, with its exports', async () => {
    await nfs.setExports([first]);
    programs.signal('nfs', 'SIGKILL');
    while ((await read(one, '/persist/1/result')) !== 'of one') await delay(20);
    // A change right after a kill waits for the restart.
    programs.signal('nfs', 'SIGKILL');
    await nfs.setExports([first, second]);
    assert.equal(await read(two, '/persist/2/result'), 'of two');
  });

  it('goes on over a restart of the server: same process, same exports', async () => {
    await nfs.setExports([first]);
    const pid = programs.status().find(({ name }) => name === 'nfs')?.pid;
    programs.close();
    await mkdir(paths.services, { recursive: true });
    nfs = await NfsServer.open({ subnet, paths, programs, persistSize, log });
    assert.equal(programs.status().find(({ name }) => name === 'nfs')?.pid, pid);
    assert.equal(await read(one, '/persist/1/result'), 'of one');
    await nfs.setExports([second]);
    assert.equal(await read(one, '/persist/1/result'), undefined);
  });
});
