/** What a save keeps: all that a file has, in the store, in the volumes that nodes mount, and through a registry. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { until } from '../../../../../test/until.ts';
import {
  addTiny,
  containersOf,
  destroyPlatform,
  openPlatform,
  result,
  Typist,
  temporaryFolder,
} from '../../../test/platform.ts';
import { clone, configured, startRegistry } from '../../../test/registry.ts';
import { attempt, run } from '../../platform/index.ts';
import { shellContainerName } from '../containers/index.ts';
import { volumeName } from '../layers/index.ts';
import { Store } from '../store/index.ts';
import type { ImageRecord } from '../types.ts';

const folder = await temporaryFolder();
await mkdir(join(folder, 'registry'));
const registry = await startRegistry(join(folder, 'registry'));
const registries = [configured('lab', registry.host, { ca: registry.ca })];
const platform = await openPlatform(folder, { registries });
after(async () => {
  await registry[Symbol.asyncDispose]();
  await destroyPlatform(platform);
});
const store = await Store.open(platform.paths, (argv) => [...argv]);
const containers = await containersOf(platform);
const exec = promisify(execFile);

/** In the image, before the change. */
const BELOW = `
  mkdir -p old/kept old/anew old/gone; echo 1 >old/kept/file; echo 2 >old/anew/below; echo 3 >old/gone/x
  for name in deleted chmodded replaced listed; do echo $name >old/$name; done
  ln -s kept old/turned; mkdir old/becomes-file; echo 4 >old/becomes-folder
  setfattr -n user.note -v before old/kept/file; touch "old/bad$(printf '\\377')"`;

/**
 * An access list as the kernel keeps it (linux/posix_acl_xattr.h): rights of the owner, of user `id`, of the group, the mask, of
 * others.
 */
function accessList(owner: number, id: number, user: number, group: number, mask: number, others: number) {
  const entry = (tag: number, rights: number, who = 0xffffffff) => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt16LE(tag, 0);
    bytes.writeUInt16LE(rights, 2);
    bytes.writeUInt32LE(who, 4);
    return bytes.toString('hex');
  };
  return `0x02000000${entry(1, owner)}${entry(2, user, id)}${entry(4, group)}${entry(16, mask)}${entry(32, others)}`;
}

/** cap_net_raw+ep (linux/capability.h, revision 2). */
const CAPABILITY = '0x0100000200200000000000000000000000000000';

const setAccess = (file: string, list: string) => `setfattr -n system.posix_acl_access -v ${list} ${file}`;
const setDefault = (file: string, list: string) => `setfattr -n system.posix_acl_default -v ${list} ${file}`;

/** What podman made to mount something there, in an image that has none of it. */
const RESIDUE =
  'rm -f etc/hostname etc/hosts etc/resolv.conf etc/mtab run/.containerenv; rmdir run dev proc sys';

/** What a user may do to files, with the programs of an image or those that he brings. */
const CHANGES = `
  mkdir -p new/folder "new/two words"; cd new
  echo shared >shared; chmod 644 shared; ${setAccess('shared', accessList(6, 1000, 6, 4, 6, 4))}
  echo list >folder/before; ${setAccess('folder', accessList(7, 7, 7, 5, 7, 5))}
  ${setDefault('folder', accessList(7, 7, 7, 5, 7, 0))}; mkdir folder/below; echo list >folder/after
  cp /bin/true capable
  echo x >attributed; setfattr -n user.mime -v text attributed; setfattr -n user.raw -v 0x00ff0a3d attributed
  setfattr -n user.of-a-folder -v 1 "two words"
  setfattr -n trusted.note -v kept attributed
  chown 300000000:400000000 attributed; chmod 6755 capable; setfattr -n security.capability -v ${CAPABILITY} capable; chmod 1777 folder
  ln shared hard; ln -s /etc/passwd link; chown -h 5:6 link; mkfifo pipe; mknod device c 1 3; mknod disk b 7 3
  printf x >"bad$(printf '\\377')name"; mkdir "folder$(printf '\\377')"; echo y >"folder$(printf '\\377')/y"
  touch "$(printf 'two\\nlines')" -- -rf "$(printf 'n%.0s' $(seq 254))"
  head -c 300000 /dev/urandom >data; truncate -s 5M sparse
  touch -h -d '2001-02-03 04:05:06.123456789' shared link data pipe; touch -d '1999-12-31 23:59:59.5' sparse
  cd ../old
  rm deleted; rm -r gone; chmod 600 chmodded; chown 1:2 chmodded; rm replaced; mkdir replaced; echo 5 >replaced/x
  rm -r anew; mkdir anew; echo 6 >anew/above; ln -sfn gone turned; rmdir becomes-file; echo 7 >becomes-file
  rm becomes-folder; mkdir becomes-folder; ${setAccess('listed', accessList(6, 1, 4, 4, 4, 4))}; setfattr -n user.note -v after kept/file
  rm "bad$(printf '\\377')"; mkdir "bad$(printf '\\377')"`;

/** All that can be told of the files of a tree, byte by byte. */
async function listing(root: string): Promise<string> {
  const tell = `
    find . -printf '%P %y %m %U %G %l' ! -type d -printf ' %n %T@ %s' , -printf '\\0' | sort -z
    find . -type b,c -exec stat -c '%n %t %T' {} + | sort
    find . -type f -print0 | sort -z | xargs -0 sha256sum -z --
    find . -print0 | sort -z | xargs -0 getfattr -hdm - -e hex -- | sed '/trusted.overlay/d'`;
  const { stdout } = await exec('sh', ['-c', tell], { cwd: root, encoding: 'latin1', maxBuffer: 1e8 });
  return stdout;
}

/** As the image is in a fresh container. */
const ofImage = (image: ImageRecord) => store.withMounted(image.digest, listing);

/** As a node sees it: its volumes, one upon the other. */
async function ofVolumes({ layers }: ImageRecord): Promise<string> {
  const mounts = join(folder, 'volumes-mounted');
  const places = layers.map((_, index) => join(mounts, String(index)));
  const root = join(mounts, 'root');
  const mounted: string[] = [];
  try {
    for (const [index, place] of places.entries()) {
      await mkdir(place, { recursive: true });
      const volume = join(platform.paths.volumes, volumeName(layers[index] ?? ''));
      await run(['mount', '-t', 'erofs', '-o', 'loop,ro', volume, place]);
      mounted.push(place);
    }
    await mkdir(root);
    // Of one layer, the volume itself.
    const lower = [...places].reverse().join(':');
    if (places.length === 1) await run(['mount', '--bind', places[0] ?? '', root]);
    else await run(['mount', '-t', 'overlay', 'overlay', '-o', `lowerdir=${lower}`, root]);
    mounted.push(root);
    return await listing(root);
  } finally {
    for (const place of mounted.reverse()) await attempt(['umount', place]);
    await run(['rm', '-r', mounts]);
  }
}

/** Changes an image in a session, from outside: the image needs no program for it. Answers how it should be, and the session. */
async function change(image: ImageRecord, deeds: string): Promise<{ id: string; wanted: string }> {
  const { id } = await platform.images.shells.open('ann', image);
  const container = shellContainerName(id);
  await until('it was made ready in the background', async () => {
    return (await containers.inspect(container))?.status === 'initialized';
  });
  await containers.stop(container, 1);
  const root = await containers.mount(container);
  await run(['sh', '-euc', `${RESIDUE}\n${deeds}`], { cwd: root });
  const wanted = await listing(root);
  await containers.unmount(container);
  return { id, wanted };
}

async function save(image: ImageRecord, deeds: string, name: string) {
  const { id, wanted } = await change(image, deeds);
  const saved = await result(platform.images.shells.save('ann', id, { owner: 'ann', name }));
  return { image: saved.image, wanted };
}

const tiny = await addTiny(platform);

test('all that files have is saved, and is in containers, on nodes, in a squashed image and in a clone', async () => {
  const below = await save(tiny, BELOW, 'below');
  const { image, wanted } = await save(below.image, CHANGES, 'changed');
  assert.match(wanted, /system\.posix_acl_access=0x.*system\.posix_acl_default=0x/s);
  assert.match(wanted, /shared f 664 .*981173106\.1234567890/);
  assert.equal(image.layers.length, 3);
  assert.equal(await ofImage(image), wanted, 'in a container');
  assert.equal(await ofVolumes(image), wanted, 'on a node');

  await platform.images.registries.login('ann', 'lab', registry.username, registry.password);
  const to = { label: 'lab', repository: 'ann/changed', tag: 'v1', replace: false };
  const { signal } = new AbortController();
  await result(platform.images.registries.publish('ann', image, to, signal));
  await platform.images.remove('ann', image);
  await platform.images.collect(new Set(), 0);
  assert.equal((await store.layers()).has(image.layers[2] ?? ''), false);
  const { image: cloned } = await clone(platform, 'lab:ann/changed:v1', 'cloned', { user: 'ann' });
  assert.deepEqual(cloned.layers, image.layers);
  assert.equal(await ofImage(cloned), wanted, 'in a clone');
  assert.equal(await ofVolumes(cloned), wanted, 'on a node with the clone');

  const target = { owner: 'ann', name: 'squashed' };
  const squashed = await result(platform.images.squash('ann', cloned, target, 'absent', signal));
  assert.equal(squashed.image.layers.length, 1);
  assert.equal(await ofImage(squashed.image), wanted, 'squashed');
  assert.equal(await ofVolumes(squashed.image), wanted, 'on a node, squashed');
});

const FORBIDDEN: [what: string, deeds: string, path: RegExp][] = [
  [
    'that would delete',
    'mkdir etc/d; echo mine >etc/d/.wh.x',
    /^"\/etc\/d\/\.wh\.x" cannot be saved: .*deleted/,
  ],
  ['that would clear its folder', 'echo mine >root/.wh..wh..opq', /^"\/root\/\.wh\.\.wh\.\.opq" cannot/],
  ['of a folder', 'mkdir .wh.etc; echo mine >.wh.etc/x', /^"\/\.wh\.etc" cannot/],
  [
    'too deep',
    'p=d; for i in $(seq 600); do mkdir "$p"; cd "$p"; done; echo mine >x',
    /^"\/d\/d.*…" cannot be saved: .*500 folders/,
  ],
  ['too long', `echo mine >"$(printf 'n%.0s' $(seq 255))"`, /^"\/n+" cannot be saved: .*254 bytes/],
];

for (const [what, deeds, message] of FORBIDDEN) {
  test(`a name ${what} is told before anything is saved, and the session stays`, async () => {
    const { id } = await change(tiny, deeds);
    const { refusal } = await platform.images.shells.changes(id);
    assert.match(refusal ?? '', message);
    const saving = platform.images.shells.save('ann', id, { owner: 'ann', name: 'refused' });
    await assert.rejects(result(saving), { code: 'INVALID', message });
    assert.equal(await platform.images.find('ann', 'refused'), undefined);
    const container = shellContainerName(id);
    await run(['sh', '-c', 'grep -rqs mine .'], { cwd: await containers.mount(container) });
    await containers.unmount(container);
    await platform.images.shells.discard(id);
  });
}

test('edits of files that podman lends are told', async () => {
  const lines =
    'cat /etc/hosts >/dev/null; echo 10.0.0.9 other >>/etc/hosts; echo x >/etc/hostname; echo 1 >/etc/mine';
  const command = await platform.images.run('ann', tiny, ['/bin/sh', '-c', lines]);
  command.stdin.end();
  assert.equal(await command.exited, 0);
  const { lost, image } = await command.save({ owner: 'ann', name: 'lent' }, 'absent');
  await command.end();
  assert.deepEqual(
    lost.map(({ path }) => path),
    ['/etc/hostname', '/etc/hosts'],
  );
  assert.match(await ofImage(image), /etc\/mine f/);
  assert.doesNotMatch(await ofImage(image), /etc\/hosts/);

  const { id } = await platform.images.shells.open('ann', tiny);
  const typist = new Typist(await platform.images.shells.attach(id, { columns: 80, rows: 24 }));
  assert.deepEqual((await platform.images.shells.changes(id)).lost, []);
  await typist.type('echo nameserver 10.0.0.1 >/etc/resolv.conf');
  await typist.exit();
  const changes = await platform.images.shells.changes(id);
  assert.deepEqual(
    changes.lost.map(({ path }) => path),
    ['/etc/resolv.conf'],
  );
  assert.equal(changes.added + changes.modified + changes.deleted, 0);
  await platform.images.shells.discard(id);
});
