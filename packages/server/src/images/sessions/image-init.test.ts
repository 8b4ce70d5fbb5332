/** Images that bring an init for their shell: here a few lines of shell, which act as a system's init would. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { closePlatform, reopenPlatform, result, Typist, usePlatform } from '../../../test/platform.ts';
import { haltImages } from '../halt.ts';
import type { ImageRecord } from '../types.ts';

const size = { columns: 90, rows: 20 };
const { platform, tiny } = await usePlatform();
let image: ImageRecord;

/** As images do: the one tunes the image for a container and becomes the init, the other undoes that and ends the init. */
const INSTALL = [
  `echo '#!/bin/sh' | busybox tee /bin/walt-image-shell-start >/bin/walt-image-shell-shutdown`,
  `echo 'echo tuned >/etc/tuned; echo id >/etc/machine-id; trap "exit 0" TERM; while :; do sleep 0.1; done' >>/bin/walt-image-shell-start`,
  `echo 'rm /etc/tuned; kill -TERM 1' >>/bin/walt-image-shell-shutdown`,
];

before(async () => {
  const { id, typist } = await enter(tiny);
  for (const line of INSTALL) await typist.type(line);
  await typist.type('chmod 755 /bin/walt-image-shell-*');
  await typist.exit();
  image = (await result(platform.images.shells.save('ann', id, { owner: 'ann', name: 'system' }))).image;
});

async function enter(of: ImageRecord): Promise<{ id: string; typist: Typist; init: boolean }> {
  const { id, init } = await platform.images.shells.open('ann', of);
  return { id, init, typist: new Typist(await platform.images.shells.attach(id, size)) };
}

async function copy(name: string): Promise<ImageRecord> {
  return platform.images.duplicate('ann', image, { owner: 'ann', name }, true);
}

test('the init runs beside the shell, ends with it, and leaves only what the user changed', async () => {
  const { id, typist, init } = await enter(await copy('changed'));
  assert.equal(init, true);
  await typist.see('cat /etc/tuned', 'tuned');
  assert.match(await typist.type('cat /proc/1/cmdline'), /walt-image-shell-start/);
  await typist.see('stty size; echo $PS1', '20 90\r\n(image)');
  await typist.type('echo new >/home/ann/notes');
  assert.equal(await typist.exit(), 0);
  const { state, attached } = await platform.images.shells.get(id);
  assert.deepEqual({ state, attached }, { state: 'exited', attached: false });
  const { sample } = await platform.images.shells.changes(id);
  assert.deepEqual(sample, ['M /home/ann/notes']);
  const saved = await result(platform.images.shells.save('ann', id, { owner: 'ann', name: 'changed' }));
  assert.equal(saved.image.layers.length, image.layers.length + 1);
});

test('a lost terminal leaves init and shell running; the next one is beside them, also after a restart', async () => {
  const { id, typist } = await enter(await copy('lost'));
  await typist.see('cat /etc/tuned', 'tuned');
  await typist.type('echo 1 >/tmp/in-memory');
  typist.terminal.stream.destroy();
  await closePlatform(platform);
  await reopenPlatform(platform);
  assert.equal((await platform.images.shells.get(id)).state, 'running');
  const again = new Typist(await platform.images.shells.attach(id, size));
  assert.match(await again.type('cat /tmp/in-memory'), /^1\r\n/);
  await platform.images.shells.discard(id);
});

test('a save while it runs, and a stop of the platform, shut it down first', async () => {
  for (const end of ['save', 'halt']) {
    const { id, typist } = await enter(await copy(`ended-by-${end}`));
    await typist.see('cat /etc/tuned', 'tuned');
    await typist.type('echo new >/home/ann/notes');
    if (end === 'halt') {
      await closePlatform(platform);
      await haltImages(platform.paths);
      await reopenPlatform(platform);
      assert.deepEqual((await platform.images.shells.changes(id)).sample, ['M /home/ann/notes']);
    }
    const saved = await result(platform.images.shells.save('ann', id, { owner: 'ann', name: end }));
    assert.equal(saved.changed, true);
    const run = await platform.images.run('ann', saved.image, ['/bin/ls', '/etc/tuned']);
    assert.notEqual(await run.exited, 0);
    await run.end();
  }
});

test('an init that does not run is told, with a way to mend it', async () => {
  const command = ['/bin/sh', '-c', 'echo "#!/gone" >/bin/walt-image-shell-start'];
  const run = await platform.images.run('ann', await copy('broken'), command);
  assert.equal(await run.exited, 0);
  const { image: broken } = await run.save({ owner: 'ann', name: 'broken' }, 'any');
  await run.end();
  // Again and again: what is told must not depend on when podman hears of it.
  for (let round = 0; round < 5; round += 1) {
    const { id } = await platform.images.shells.open('ann', broken);
    await assert.rejects(platform.images.shells.attach(id, size), {
      ...{ code: 'UNAVAILABLE', message: /walt-image-shell-start.*ann\/broken/ },
    });
    await platform.images.shells.discard(id);
  }
});
