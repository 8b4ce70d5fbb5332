import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { closePlatform, reopenPlatform, result, Typist, usePlatform } from '../../../test/platform.ts';
import { attempt } from '../../platform/index.ts';
import { shellContainerName } from '../containers/index.ts';
import { volumeName } from '../layers/index.ts';

const size = { columns: 80, rows: 24 };
const { platform } = await usePlatform();

/** Runs a save in a server that is killed at `step`; then this platform is its restart. */
async function crash(session: string, step: string): Promise<void> {
  await closePlatform(platform);
  const program = join(import.meta.dirname, 'crash.fixture.ts');
  const { status, stderr } = await attempt([process.execPath, program, platform.folder, session, step]);
  assert.equal(status, null, stderr);
  await reopenPlatform(platform);
}

async function change(text: string): Promise<string> {
  const image = await platform.images.get('ann', 'tiny');
  const { id } = await platform.images.shells.open('ann', image);
  const typist = new Typist(await platform.images.shells.attach(id, size));
  await typist.type(`echo ${text} > /etc/greeting`);
  await typist.exit();
  return id;
}

async function greeting(): Promise<string> {
  const id = (await platform.images.shells.open('bob', await platform.images.get('ann', 'tiny'))).id;
  const typist = new Typist(await platform.images.shells.attach(id, size));
  const text = await typist.type('cat /etc/greeting');
  await platform.images.shells.discard(id);
  return text.trim();
}

const steps = [
  'Looking for what has changed',
  'Saving the change as a new layer',
  'Making the volumes that nodes mount',
  'Making the boot files',
  'in prepareBoot',
];

test('a server that is killed while it saves loses nothing, at any step', async () => {
  const old = await platform.images.get('ann', 'tiny');
  const id = await change('changed');
  for (const step of steps) {
    await crash(id, step);
    assert.equal((await platform.images.shells.get(id)).state, 'exited', step);
    assert.deepEqual(await platform.images.get('ann', 'tiny'), old, step);
    assert.equal(await greeting(), 'hello', step);
  }
  const saved = await result(platform.images.shells.save('ann', id, { owner: 'ann', name: 'tiny' }));
  assert.equal(saved.image.layers.length, old.layers.length + 1);
  assert.equal(await greeting(), 'changed');
});

test('what the crashes left is collected', async () => {
  const id = await change('collected');
  await crash(id, 'in prepareBoot');
  await platform.images.shells.discard(id);
  await platform.images.collect(new Set(), 0);
  const { layers } = await platform.images.get('ann', 'tiny');
  const volumes = await readdir(platform.paths.volumes);
  assert.deepEqual(volumes.sort(), layers.map(volumeName).sort());
});

test('a server that is killed right after the save has saved', async () => {
  const id = await change('late');
  await crash(id, 'at the end');
  await assert.rejects(platform.images.shells.get(id), { code: 'NOT_FOUND' });
  assert.equal(await greeting(), 'late');
});

test('containers and sessions that lost each other are removed', async () => {
  const { database, images } = platform;
  const image = await images.get('ann', 'tiny');
  const alone = await images.shells.open('ann', image);
  await database.deleteFrom('shell_session').where('id', '=', alone.id).execute();
  const row = { id: '0123456789abcdef', user: 'eve', owner: 'ann', name: 'tiny', digest: image.digest };
  await database
    .insertInto('shell_session')
    .values({ ...row, container: shellContainerName(row.id), opened: 1 })
    .execute();
  await closePlatform(platform);
  await reopenPlatform(platform);
  assert.deepEqual(await platform.images.shells.list(), []);
  const again = await platform.images.shells.open('ann', image);
  await platform.images.shells.discard(again.id);
});
