/** A build from start to end, with a toolchain that is a shell: what it makes is out of reach for the server's other users. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { until } from '../../../../../test/until.ts';
import { tinyRoot, usePlatform } from '../../../test/platform.ts';
import { attempt, run, streamProgram } from '../../platform/index.ts';
import { Containers } from '../containers/index.ts';
import { PodmanApi, Store } from '../store/index.ts';
import { type BuildDeps, type CrossClient, runBuild } from './build.ts';

const { platform, tiny } = await usePlatform();
const { paths } = platform;
const store = await Store.open(paths, (argv) => [...argv]);
const api = new PodmanApi(paths, store);
const containers = new Containers(api, store.limitNotes, paths.containers);
after(() => api.close());

const toolchain = join(platform.folder, 'toolchain');
await mkdir(toolchain);
await run(['tar', '-xf', await tinyRoot(platform.folder), '-C', toolchain]);

/** Runs a line of shell on some files; answers what the user gets back. Nothing is saved. */
async function build(line: string, files: Readonly<Record<string, string>> = {}) {
  const sources = await mkdtemp(join(platform.folder, 'sources-'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(sources, name), text);
  const back = { deleted: [] as string[], tar: Buffer.alloc(0), output: '' };
  const client: CrossClient = {
    input: () => streamProgram(['tar', '--create', '--directory', sources, '.']).stdout,
    printed: async (pieces) => {
      for await (const { bytes } of pieces) back.output += bytes.toString('latin1');
    },
    tell: (event) => {
      if (event.type === 'deleted') back.deleted.push(...event.paths);
    },
    files: async (tar) => {
      back.tar = await buffer(tar);
    },
    signal: AbortSignal.timeout(600_000),
  };
  // What saves is not called.
  const deps = { containers, paths, limits: platform.deps.config.limits.container } as BuildDeps;
  const request = { user: 'ann', image: tiny, command: [line], folder: '/home/ann/x', prefix: '/usr/local' };
  const { status, saved } = await runBuild(deps, toolchain, { ...request, save: undefined }, client);
  assert.equal(saved, undefined);
  return { ...back, status };
}

/** As another user of the server. */
function asNobody(...argv: string[]) {
  return attempt(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--', ...argv]);
}

test('what changed comes back, and nothing is left', async () => {
  const { status, tar, deleted, output } = await build(
    'echo new >changed; rm gone; mkdir sub; ln -s made sub/link; echo made >sub/made; cat /sysroot/etc/greeting; exit 3',
    { kept: 'kept', changed: 'old', gone: 'gone' },
  );
  assert.equal(status, 3);
  assert.match(output, /hello/);
  assert.deepEqual(deleted, ['gone']);
  const names = (await run(['tar', '--list'], { input: tar })).trim().split('\n');
  assert.deepEqual(names, ['./', './changed', './sub/', './sub/link', './sub/made']);
  assert.deepEqual(await readdir(paths.builds), []);
});

test('folders whose path is longer than the kernel takes are refused, and nothing is left of them', async () => {
  const name = 'd'.repeat(200);
  const line = `for level in $(seq 30); do mkdir ${name} && cd -P ${name} || exit 9; done 2>/dev/null`;
  await assert.rejects(build(line), { code: 'INVALID', message: /a path of more than 4000 bytes/ });
  assert.deepEqual(await readdir(paths.builds), []);
});

test('set-user-ID programs and devices that it makes are out of reach for other users of the server', async () => {
  // That they cannot enter is to be the build's own doing.
  for (const folder of [platform.folder, paths.state]) await chmod(folder, 0o755);
  const line =
    'chmod 777 .; mkdir open; chmod 777 open; cp /bin/busybox sh; chmod 4755 sh; echo >made; while test -e wait; do sleep 0.1; done';
  const building = build(line, { wait: '' });
  const work = await until('the build', async () => {
    const [id] = await readdir(paths.builds).catch(() => []);
    const folder = id === undefined ? undefined : join(paths.builds, id, 'work');
    return folder !== undefined && existsSync(join(folder, 'made')) && folder;
  });
  assert.equal((await stat(join(work, 'sh'))).mode & 0o7777, 0o4755);
  for (const path of [paths.builds, dirname(work)]) assert.equal((await stat(path)).mode & 0o7777, 0o700);
  assert.equal((await asNobody('test', '-e', paths.builds)).status, 0);
  for (const argv of [
    ['test', '-e', join(work, 'sh')],
    ['mv', join(work, 'open'), join(work, 'aside')],
    ['ls', paths.builds],
  ]) {
    assert.notEqual((await asNobody(...argv)).status, 0, argv.join(' '));
  }
  await rm(join(work, 'wait'));
  const { status, deleted } = await building;
  assert.equal(status, 0);
  assert.deepEqual(deleted, ['wait']);
});
