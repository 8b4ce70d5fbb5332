/** The server is killed while a container is made, at many moments: the platform stops all the same, and nothing of it is left. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { run } from '../packages/server/src/platform/index.ts';
import { importImage } from './import-image.ts';
import { leftovers, processesOf } from './leftovers.ts';
import { Platform } from './platform.ts';
import { until } from './until.ts';

let platform: Platform;

before(async () => {
  platform = await Platform.start({ image: false, start: false });
  const tar = join(platform.folder, 'tiny.tar');
  await run(['tar', '--create', '--file', tar, '--directory', '/', '--', 'bin/busybox']);
  await importImage(platform, 'tiny', tar, ['CMD ["/bin/busybox", "sh"]']);
});
after(() => platform?.close());

/** What must be gone after a stop: the namespace goes, the folders' content stays. */
async function left(): Promise<string[]> {
  return leftovers(platform.marks);
}

test('killed while image run makes its container', async () => {
  for (let round = 0; round < 16; round += 1) {
    await platform.up();
    const runs = [1, 2].map(() => platform.root.walt('image', 'run', 'tiny', '/bin/busybox', 'sleep', '100'));
    await delay(100 + round * 60); // the moment of the crash is the subject here
    await platform.kill();
    await Promise.all(runs);
    const { status, stderr } = await platform.server('stop');
    assert.equal(status, 0, stderr);
    // A process that was killed may still be on its way out where the machine is busy.
    await until('the end of all', async () => (await left()).length === 0).catch(() => {});
    assert.deepEqual(await left(), [], `round ${round}`);
  }
});

test('crashed while image run makes its container: the server that comes back ends what is left of it', async () => {
  await platform.up();
  for (let round = 0; round < 12; round += 1) {
    const walt = platform.root.walt('image', 'run', 'tiny', '/bin/busybox', 'sleep', '100');
    await delay(100 + round * 80); // the moment of the crash is the subject here
    await platform.crash();
    await walt;
    await platform.root.ok('image', 'run', 'tiny', '/bin/busybox', 'true');
    await until('the end of its containers', async () => {
      const inside = processesOf(platform.marks).filter(({ command }) =>
        /conmon|runc init|sleep 100/.test(command),
      );
      return inside.length === 0;
    });
  }
});
