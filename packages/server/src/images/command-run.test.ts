import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { attempt, isUserError } from '../platform/index.ts';
import type { CommandRun } from './command-run.ts';
import { addTiny, destroyPlatform, openPlatform, type Platform, temporaryFolder } from './images.fixture.ts';
import type { ImageRecord } from './types.ts';

let platform: Platform;
let tiny: ImageRecord;

before(async () => {
  platform = await openPlatform(await temporaryFolder());
  tiny = await addTiny(platform);
});
after(() => destroyPlatform(platform));

const start = (...command: string[]) => platform.images.run('ann', tiny, command);

/** All that it prints, and its status. */
async function finish(run: CommandRun, input = '') {
  run.stdin.end(input);
  const [stdout, stderr, status] = await Promise.all([text(run.stdout), text(run.stderr), run.exited]);
  return { stdout, stderr, status };
}

async function containers(): Promise<string> {
  const { containers, containersRun } = platform.paths;
  const list = ['podman', '--root', containers, '--runroot', containersRun, 'ps', '--all', '--quiet'];
  return (await attempt(list)).stdout;
}

test('input, output, errors and status are those of the command', async () => {
  const run = await start('/bin/sh', '-c', 'cat; echo "$1" >&2; exit 7', 'sh', '$(id) "; &');
  assert.deepEqual(await finish(run, 'line\n'), { stdout: 'line\n', stderr: '$(id) "; &\n', status: 7 });
  await run.end();
  assert.equal(await containers(), '');
});

test('a program that is not there is named', async () => {
  const run = await start('nosuch');
  await assert.rejects(
    finish(run),
    (error) => isUserError(error) && error.code === 'NOT_FOUND' && /ann\/tiny.*nosuch/.test(error.message),
  );
  await run.end();
});

test('a change is saved as a layer; without one, the name points to the same digest', async () => {
  const changing = await start('/bin/sh', '-c', 'echo new >/etc/greeting');
  assert.equal((await finish(changing)).status, 0);
  const { image, changed } = await changing.save({ owner: 'ann', name: 'new' }, 'absent');
  await changing.end();
  assert.equal(changed, true);
  assert.equal(image.layers.length, tiny.layers.length + 1);
  assert.deepEqual(await platform.images.get('ann', 'new'), image);

  const idle = await start('/bin/sh', '-c', ':');
  assert.equal((await finish(idle)).status, 0);
  const same = await idle.save({ owner: 'ann', name: 'same' }, 'absent');
  await idle.end();
  assert.deepEqual(same, { image: { ...tiny, name: 'same' }, changed: false });
});

test('a name that was taken meanwhile stays as it is', async () => {
  const run = await start('/bin/sh', '-c', 'echo other >/etc/greeting');
  assert.equal((await finish(run)).status, 0);
  await assert.rejects(
    run.save({ owner: 'ann', name: 'tiny' }, 'absent'),
    (error) => isUserError(error) && error.code === 'CONFLICT',
  );
  await run.end();
  assert.deepEqual(await platform.images.get('ann', 'tiny'), tiny);
});

test('its end kills it, and nothing of it stays', async () => {
  const run = await start('sleep', '1000');
  run.exited.catch(() => {});
  await run.end();
  await assert.rejects(run.exited, (error) => isUserError(error) && error.code === 'UNAVAILABLE');
  assert.equal(await containers(), '');
});
