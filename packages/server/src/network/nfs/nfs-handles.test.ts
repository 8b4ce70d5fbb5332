/** Handles that are made up (test/attack) open nothing beyond what a node may see; and they would, if it lay there. */
import assert from 'node:assert/strict';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  closeDisks,
  loopDevicesOf,
  makeDiskImage,
  makeErofs,
  mountImage,
  openVolumesDisk,
  platformPaths,
  projectFile,
  run,
} from '../../platform/index.ts';
import { Bridge } from '../bridge.ts';
import { Machine, testInNamespace, testPlatform } from '../namespace.fixture.ts';
import { parseSubnet } from '../subnet.ts';
import { NfsServer } from './nfs.ts';
import { renderNfsConfig } from './nfs-config.ts';
import { openPortmapper } from './portmapper.ts';

const MEBI = 1024 ** 2;
const subnet = parseSubnet('10.99.0.0/24');
const ATTACK = projectFile('test/attack/nfs-handles.ts');

interface Reached {
  version: number;
  type: string;
  inode: string;
  content: string;
  written: boolean;
}

testInNamespace(import.meta.filename, (state) => {
  const { paths, programs, log } = testPlatform(state);
  let nfs: NfsServer;
  let one: Machine;
  let two: Machine;
  const first = { id: 1, file: join(paths.persist, 'alice/1.img'), ip: '10.99.0.2' };
  const second = { id: 2, file: join(paths.persist, 'bob/2.img'), ip: '10.99.0.3' };
  const treePath = '/var/lib/walt/nodes/10.99.0.2/fs';

  before(async () => {
    await Bridge.open('walt0', subnet);
    await openPortmapper(subnet.server);
    one = await Machine.plug(1, 'walt0', { ip: '10.99.0.2/24' });
    two = await Machine.plug(2, 'walt0', { ip: '10.99.0.3/24' });
    await openVolumesDisk(paths);
    await mkdir(dirname(paths.database), { recursive: true });
    await writeFile(paths.database, 'SECRET of the server');
    nfs = await NfsServer.open({ subnet, paths, programs, persistSize: 64 * MEBI, log });
  });
  after(async () => {
    await one.unplug();
    await two.unplug();
    for (const name of await programs.recorded()) await programs.stop(name);
    programs.close();
    await closeDisks(paths);
    assert.deepEqual(await loopDevicesOf(state), []);
  });

  /** What a machine reaches by made up handles, also for these files; tries to write into all of it. */
  async function attack(machine: Machine, exports: string[], files: string[]): Promise<Reached[]> {
    const inodes = await Promise.all(files.map(async (file) => (await stat(file)).ino));
    const named = inodes.flatMap((inode) => ['--inode', String(inode)]);
    named.push('--write', 'of alice');
    const { status, output } = await machine.attempt(
      process.execPath,
      ATTACK,
      subnet.server,
      ...exports,
      ...named,
    );
    assert.equal(status, 0, output);
    const lines = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const { tried } = lines.pop();
    assert.ok(tried > 1000, `${tried} handles were tried`);
    assert.ok(lines.length > 0, 'the exports themselves are found');
    return lines;
  }

  async function write(machine: Machine, path: string, text: string): Promise<void> {
    await writeFile(join(state, 'to-write'), text);
    const url = `nfs://${subnet.server}${path}?version=4&uid=0&gid=0`;
    const { status, output } = await machine.attempt('nfs-cp', join(state, 'to-write'), url);
    assert.equal(status, 0, output);
  }

  it('an attack on folders of one file system reads what lies beside them', async () => {
    const folder = join(state, 'plain');
    const disk = join(state, 'plain-disk');
    await mkdir(disk);
    await makeDiskImage(join(state, 'plain.img'), { size: 64 * MEBI });
    await run(mountImage(join(state, 'plain.img'), disk));
    try {
      await mkdir(join(disk, 'volumes'));
      await writeFile(join(disk, 'volumes/volume'), 'a volume');
      await writeFile(join(disk, 'walt.db'), 'SECRET of the server');
      await mkdir(join(folder, 'recovery'), { recursive: true });
      const client = `CLIENT { Clients = ${subnet.cidr}; Access_Type = RO; Squash = No_Root_Squash; Protocols = 3, 4; }`;
      await writeFile(
        join(folder, 'exports'),
        `EXPORT { Export_Id = 1; Path = "${disk}/volumes"; Pseudo = "/volumes"; FSAL { Name = VFS; } ${client} }\n`,
      );
      const config = { recoveryFolder: join(folder, 'recovery'), exportsFile: join(folder, 'exports') };
      await writeFile(join(folder, 'conf'), renderNfsConfig({ server: subnet.server, ...config }));
      await programs.stop('nfs');
      await programs.ensure({
        name: 'nfs-plain',
        argv: ['ganesha.nfsd', '-F', '-f', join(folder, 'conf'), '-p', join(folder, 'pid'), '-L', 'STDERR'],
        env: { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent' },
        ready: async () =>
          (await one.attempt('nfs-ls', `nfs://${subnet.server}/volumes?version=4`)).status === 0,
      });
      const reached = await attack(one, ['/volumes'], [join(disk, 'walt.db')]);
      for (const version of [3, 4]) {
        const secrets = reached.filter((each) => each.version === version && each.content.includes('SECRET'));
        assert.ok(secrets.length > 0, `by NFSv${version}`);
        assert.ok(
          reached.some(({ content }) => content.split('\n').includes('walt.db')),
          'the root is listed',
        );
      }
    } finally {
      await programs.stop('nfs-plain');
      await run(['umount', disk]);
    }
    nfs = await NfsServer.open({ subnet, paths, programs, persistSize: 64 * MEBI, log });
  });

  it('from a node’s address, no handle opens more than the volumes, its own /persist and its own image', async () => {
    const content = join(state, 'layers');
    await mkdir(join(content, 'upper/diff/bin'), { recursive: true });
    await mkdir(join(content, 'lower/diff/etc'), { recursive: true });
    await writeFile(join(content, 'upper/diff/bin/init'), 'of the platform');
    await writeFile(join(content, 'lower/diff/etc/name'), 'of the image');
    const [upper, lower] = [join(paths.bootFiles, 'tree.img'), join(paths.volumes, 'tree-1.erofs')];
    await mkdir(paths.bootFiles, { recursive: true });
    await makeDiskImage(upper, { size: 16 * MEBI, content: join(content, 'upper') });
    await makeErofs(join(content, 'lower'), lower, 'kept', { uuid: '11111111-2222-3333-4444-555555555555' });
    await writeFile(join(paths.volumes, 'sha256-1.erofs'), 'a volume');
    const tree = { name: 'a', lower: [upper, lower] };
    await nfs.setExports([first, second], [{ tree, ip: first.ip, paths: [treePath] }]);
    await write(one, '/persist/1/mine', 'of alice');
    await write(two, '/persist/2/theirs', 'SECRET of bob');

    const reached = await attack(
      one,
      ['/volumes', '/persist/1', treePath],
      [
        ...[
          '/etc/shadow',
          paths.database,
          first.file,
          second.file,
          upper,
          join(content, 'lower/diff/etc/name'),
        ],
        ...[state, paths.persist, '/', '/etc'],
      ],
    );
    const found = (type: string) => reached.filter((each) => each.type === type);
    const names = new Set(found('folder').flatMap(({ content }) => content.split('\n')));
    const visible = ['sha256-1.erofs', 'tree-1.erofs', 'mine', 'bin', 'init', 'etc', 'name', '.', '..', ''];
    assert.deepEqual([...names.difference(new Set(visible))], []);
    const image = (await readFile(lower)).subarray(0, 4096).toString('latin1');
    const readable = new Set(['a volume', 'of alice', 'of the platform', 'of the image', image]);
    const files = new Set(found('file').map(({ content }) => content));
    assert.deepEqual([...files.difference(readable)], []);
    assert.ok(files.has('a volume') && files.has('of alice'), 'what it may see is found');
    assert.deepEqual(
      [...new Set(reached.filter(({ written }) => written).map(({ content }) => content))],
      ['of alice'],
    );
    assert.equal(await readFile(join(paths.volumes, 'sha256-1.erofs'), 'utf8'), 'a volume');
  });

  it('does not start again without the volumes’ own file system', async () => {
    await run(['umount', '--lazy', paths.volumes]);
    programs.signal('nfs', 'SIGKILL');
    const log = join(paths.logs, 'nfs.log');
    while (!(await readFile(log, 'utf8')).includes('is no file system of its own')) await delay(20);
    assert.notEqual((await one.attempt('nfs-ls', `nfs://${subnet.server}/volumes?version=4`)).status, 0);
    await openVolumesDisk(paths);
    await nfs.setExports([first]);
    assert.equal((await one.attempt('nfs-ls', `nfs://${subnet.server}/volumes?version=4`)).status, 0);
  });

  it('keeps nothing of another platform in use', async () => {
    const other = platformPaths({ ...paths, state: join(state, 'other') });
    await mkdir(other.state);
    await openVolumesDisk(other);
    programs.signal('nfs', 'SIGKILL');
    await nfs.setExports([first, second]);
    await run(['umount', other.volumes]);
    // That its device is released.
    while ((await loopDevicesOf(other.state)).length > 0) await delay(20);
  });
});
