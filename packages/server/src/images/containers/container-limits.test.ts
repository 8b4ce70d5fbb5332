/** What containers of images may not do to the server, and what images say that podman would stumble over. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { startLyingRegistry } from '../../../test/lying-registry.ts';
import {
  addTiny,
  destroyPlatform,
  openPlatform,
  Typist,
  temporaryFolder,
  tinyRoot,
} from '../../../test/platform.ts';
import { clone, configured } from '../../../test/registry.ts';
import { attempt } from '../../platform/index.ts';
import type { CommandRun } from '../sessions/index.ts';
import type { ImageRecord } from '../types.ts';

const MIB = 1024 * 1024;
const size = { columns: 80, rows: 24 };

const folder = await temporaryFolder();
const registry = await startLyingRegistry([]);
const registries = [configured('made-up', registry.host, { protocol: 'http' })];
const platform = await openPlatform(folder, { registries });
Object.assign(platform.deps.config.limits.container, { processes: 20, memory: 64 * MIB });
after(async () => {
  await registry[Symbol.asyncDispose]();
  await destroyPlatform(platform);
});
const tiny = await addTiny(platform);

/** All that a line of shell prints, and its end. */
async function shell(image: ImageRecord, line: string) {
  const run: CommandRun = await platform.images.run('ann', image, ['/bin/sh', '-c', line]);
  run.stdin.end();
  const read = (stream: Readable) => text(stream);
  const [stdout, stderr, status] = await Promise.all([read(run.stdout), read(run.stderr), run.exited]);
  const note = run.note();
  await run.end();
  return { stdout, stderr, status, note };
}

test('a command gets so much memory, and is told when that was too little', async () => {
  const { status, note } = await shell(tiny, 'dd if=/dev/zero of=/dev/null bs=200M count=1');
  assert.notEqual(status, 0);
  assert.match(note ?? '', /64 MiB of memory, which is the limit \(limits\.container-/);
  assert.equal((await shell(tiny, 'dd if=/dev/zero of=/dev/null bs=20M count=1')).note, undefined);
});

test('a command gets so many processes', async () => {
  const { stderr, note } = await shell(
    tiny,
    'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sleep 1000 & done; wait',
  );
  assert.match(stderr, /fork/);
  assert.match(note ?? '', /20 processes, which is the limit/);
  const few = await shell(tiny, 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0 & done; wait; echo ok');
  assert.equal(few.stdout, 'ok\n');
});

test('a shell has the same limits, and is told at its end', async () => {
  const { id } = await platform.images.shells.open('ann', tiny);
  const typist = new Typist(await platform.images.shells.attach(id, size));
  await typist.type('dd if=/dev/zero of=/dev/null bs=200M count=1');
  await typist.exit();
  assert.match((await platform.images.shells.changes(id)).note ?? '', /64 MiB of memory, which is the limit/);
  await platform.images.shells.discard(id);
});

test('control groups cannot be changed from inside', async () => {
  const line =
    'for f in /sys/fs/cgroup/*; do busybox mkdir $f/mine && echo made $f; done; busybox mount -o remount,rw /sys/fs/cgroup/pids && echo remounted';
  assert.equal((await shell(tiny, line)).stdout, '');
});

test('what an image says about a service, podman does not look at', async () => {
  const tar = await readFile(await tinyRoot(folder));
  const config = { StopSignal: 'nonsense', Healthcheck: { Test: ['CMD', 'false'], Interval: 1_000_000_000 } };
  registry.add('odd', { tars: [tar], configuration: { config } });
  registry.lie = asDocker;
  const { image } = await clone(platform, 'made-up:exp:odd', 'odd', { user: 'ann' });
  registry.lie = undefined;
  const { argv, env } = {
    argv: ['podman', '--root', platform.paths.containers, '--runroot', platform.paths.containersRun],
    env: {},
  };
  const { stdout } = await attempt([...argv, 'image', 'inspect', image.digest.slice('sha256:'.length)], {
    env,
  });
  assert.match(stdout, /"Healthcheck": \{/);
  assert.deepEqual(await shell(image, 'sleep 2; echo well'), {
    ...{ stdout: 'well\n', stderr: '', status: 0, note: undefined },
  });
  const { id } = await platform.images.shells.open('ann', image);
  const typist = new Typist(await platform.images.shells.attach(id, size));
  assert.match(await typist.type('echo $((40 + 2))'), /^42/);
  await platform.images.shells.discard(id);
});

/** Only Docker's own form of a manifest has health checks. */
function asDocker(...[path, response, blobs]: Parameters<NonNullable<typeof registry.lie>>): boolean {
  if (!/\/manifests\//.test(path)) return false;
  const own = [...blobs.values()].findLast((data) => data.includes('"layers"'));
  const type = 'application/vnd.docker.distribution.manifest.v2+json';
  const text = String(own)
    .replaceAll('application/vnd.oci.image.manifest.v1+json', type)
    .replaceAll('application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json')
    .replaceAll(
      'application/vnd.oci.image.layer.v1.tar+gzip',
      'application/vnd.docker.image.rootfs.diff.tar.gzip',
    );
  response.writeHead(200, { 'content-type': type }).end(text);
  return true;
}
