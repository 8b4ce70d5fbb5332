import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { containersOf, usePlatform } from '../../../test/platform.ts';
import { attempt, namesIn, run } from '../../platform/index.ts';
import { shellSpec } from '../containers/index.ts';
import { Store } from './store.ts';
import { emptyNetworks, noteNetworks, removeNetworks } from './stray-networks.ts';

const FOLDER = '/run/netns';
const made: string[] = [];
const inside: ChildProcess[] = [];
after(async () => {
  for (const one of inside) one.kill('SIGKILL');
  for (const name of made) {
    await attempt(['umount', '--', join(FOLDER, name)]);
    await rm(join(FOLDER, name), { force: true });
  }
});

/** A network namespace as podman makes it; with somebody in it where wanted. Answers its name. */
async function network(name = `netns-${randomUUID()}`, inUse = false): Promise<string> {
  made.push(name);
  const path = join(FOLDER, name);
  await run(['mkdir', '--parents', FOLDER]);
  await writeFile(path, '', { flag: 'wx' });
  await run(['unshare', `--net=${path}`, 'true']);
  if (inUse) {
    const child = spawn('nsenter', [`--net=${path}`, '--', 'sh', '-c', 'echo in; exec sleep 1000']);
    inside.push(child);
    await once(child.stdout, 'data');
  }
  return name;
}

test('what a killed podman left goes; what was there before, is used, or has another name, stays', async () => {
  const { platform, tiny } = await usePlatform();
  const { paths } = platform;
  const containers = await containersOf(platform);
  // podman's service, which takes a note when it starts, runs from here on.
  await containers.list();
  const older = await network();
  await noteNetworks(paths);
  const [left, used, named] = [
    await network(),
    await network(undefined, true),
    await network('walt-test-other'),
  ];
  await containers.create(
    shellSpec({
      id: 'f'.repeat(16),
      digest: tiny.digest,
      image: 'ann/tiny',
      limits: platform.deps.config.limits.container,
    }),
  );
  const before = new Set(await namesIn(FOLDER));
  await containers.prepare('walt-shell-ffffffffffffffff');
  const store = await Store.open(paths, (argv) => [...argv]);
  const ofContainer = (await store.networkFiles()).map((path) => path.slice(FOLDER.length + 1));
  assert.equal(ofContainer.length, 1);
  assert.ok(
    ofContainer.every((name) => !before.has(name)),
    'it is new',
  );
  // Podman's note of the platform's own container counts, even where nobody is in it.
  const empty = await emptyNetworks(paths);
  assert.ok(empty.includes(left));
  for (const name of [older, used, named, ...ofContainer]) assert.ok(!empty.includes(name), name);
  const told: string[] = [];
  await removeNetworks(store, [left, ...ofContainer], (line) => told.push(line), 0);
  assert.deepEqual(told, [`Removed the network namespace ${left}, left of a container.`]);
  const now = await namesIn(FOLDER);
  assert.ok(!now.includes(left));
  for (const name of [older, used, named, ...ofContainer]) assert.ok(now.includes(name), name);
  assert.ok(!(await readFile('/proc/self/mountinfo', 'utf8')).includes(left));
  await containers.remove('walt-shell-ffffffffffffffff');
});
