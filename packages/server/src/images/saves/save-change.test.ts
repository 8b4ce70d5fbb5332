/** What a save keeps: all that a file has, in the store, in the volumes that nodes mount, and through a registry. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
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
import { BELOW, CHANGES, listing } from './all-kinds.fixture.ts';

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

/** What podman made to mount something there, in an image that has none of it. */
const RESIDUE =
  'rm -f etc/hostname etc/hosts etc/resolv.conf etc/mtab run/.containerenv; rmdir run dev proc sys';

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
