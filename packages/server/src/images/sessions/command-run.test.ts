import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { addTiny, usePlatform } from '../../../test/platform.ts';
import { attempt, isUserError } from '../../platform/index.ts';
import { volumeName } from '../layers/index.ts';
import type { CommandRun } from './command-run.ts';

const { platform, tiny } = await usePlatform();

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
  assert.deepEqual(same, { image: { ...tiny, name: 'same' }, changed: false, lost: [] });
});

test('a name that was taken or removed meanwhile stays as it is, and the result has a name of its own', async () => {
  const cases = [
    { target: 'tiny', expected: 'absent', message: /There is an image named "ann\/tiny" already/ },
    { target: 'tiny', expected: { digest: `sha256:${'0'.repeat(64)}` }, message: /was changed/ },
    { target: `${'long-'.repeat(12)}:v2`, expected: { digest: tiny.digest }, message: /was removed/ },
  ] as const;
  for (const [index, { target, expected, message }] of cases.entries()) {
    const run = await start('/bin/sh', '-c', `echo ${index} >/etc/greeting`);
    assert.equal((await finish(run)).status, 0);
    const error = await run.save({ owner: 'ann', name: target }, expected).catch((thrown: unknown) => thrown);
    await run.end();
    assert.ok(isUserError(error) && error.code === 'CONFLICT', String(error));
    assert.match(error.message, message);
    const kept = /The result is kept as ann\/(\S+)\.$/.exec(error.message)?.[1] ?? '';
    assert.ok(kept.startsWith(target.slice(0, 4)), kept);
    assert.match(error.hint, new RegExp(`walt image rename ${kept} `));
    const image = await platform.images.get('ann', kept);
    const reading = await platform.images.run('ann', image, ['cat', '/etc/greeting']);
    assert.equal((await finish(reading)).stdout, `${index}\n`);
    await reading.end();
  }
  assert.deepEqual(await platform.images.get('ann', 'tiny'), tiny);
  assert.equal(await platform.images.find('ann', cases[2].target), undefined);
});

test('without a change, the name points to what the command ran in, though nobody else needed that any more', async () => {
  const old = await addTiny(platform, 'old', 'old');
  const run = await platform.images.run('ann', old, ['/bin/sh', '-c', ':']);
  await platform.images.duplicate('ann', tiny, { owner: 'ann', name: 'old' }, true);
  await platform.images.collect(new Set(), 0);
  assert.equal((await finish(run)).status, 0);
  await run.save({ owner: 'ann', name: 'again' }, 'absent');
  await run.end();
  await platform.images.collect(new Set(), 0);
  const volumes = await readdir(platform.paths.volumes);
  for (const layer of old.layers) assert.ok(volumes.includes(volumeName(layer)), 'nodes can mount it');
});

test('its end kills it, and nothing of it stays', async () => {
  const run = await start('sleep', '1000');
  run.exited.catch(() => {});
  await run.end();
  await assert.rejects(run.exited, (error) => isUserError(error) && error.code === 'UNAVAILABLE');
  assert.equal(await containers(), '');
});
