import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { attempt, run, withFileLock } from '../../platform/index.ts';
import { allProcesses } from '../containers/index.ts';
import { sweepMaking } from './debootstrap.ts';

async function newCache(t: TestContext): Promise<string> {
  const cache = await mkdtemp(join(tmpdir(), 'walt-cache-'));
  t.after(async () => {
    for (const point of await mounts(cache)) await attempt(['umount', '--lazy', '--', point]);
    await rm(cache, { recursive: true, force: true });
  });
  return cache;
}

async function mounts(folder: string): Promise<string[]> {
  const lines = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n');
  return lines.map((line) => line.split(' ')[4] ?? '').filter((point) => point.startsWith(folder));
}

async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  limit = 120_000,
): Promise<T> {
  for (const end = Date.now() + limit; Date.now() < end; await delay(50)) {
    const found = await look();
    if (found) return found;
  }
  throw new Error(`in vain: ${what}`);
}

test('whoever makes an image is killed: no process and no mount is left, and its folder is swept', async (t) => {
  const cache = await newCache(t);
  const module = JSON.stringify(import.meta.resolve('./debootstrap.ts'));
  const script = `
    const { ensureTar } = await import(${module});
    await ensureTar({
      name: 'try', recipe: { folder: ${JSON.stringify(cache)}, hooks: [] }, architecture: 'amd64', packages: ['busybox'],
      cache: ${JSON.stringify(join(cache, 'made'))}, renew: false, host: (argv) => [...argv],
      signal: new AbortController().signal, report: () => {},
    });`;
  const server = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
  const scratch = join(cache, 'made', 'try.scratch');
  const programs = async () => (await allProcesses()).filter(({ argv }) => argv.join(' ').includes(scratch));
  // It runs programs in the root folder that it makes: /proc, /sys and /dev are mounted there.
  await until('a program in the new root', async () =>
    (await programs()).some(
      ({ argv }) => argv[0] === 'chroot' || argv.includes('chroot') || /dpkg/.test(argv[0] ?? ''),
    ),
  );
  server.kill('SIGKILL');
  await once(server, 'exit');
  await until('the end of all that it ran', async () => (await programs()).length === 0);
  assert.deepEqual(await mounts(cache), []);
  assert.ok((await readdir(join(cache, 'made'))).includes('try.scratch'));
  await sweepMaking(join(cache, 'made'));
  assert.deepEqual(await readdir(join(cache, 'made')), ['try.lock']);
});

test('what an older server left mounted is swept, and what somebody makes just now is not', async (t) => {
  const cache = await newCache(t);
  const key = '0123456789abcdef';
  const own = ['default-amd64.scratch', `toolchain-arm64-${key}.tar.tmp`];
  await mkdir(join(cache, 'default-amd64.scratch', 'mmdebstrap.x', 'a b', 'proc'), { recursive: true });
  await writeFile(join(cache, `toolchain-arm64-${key}.tar.tmp`), '');
  await writeFile(join(cache, `default-amd64-${key}.tar`), 'whole');
  for (const place of ['a b', 'a b/proc']) {
    const point = join(cache, 'default-amd64.scratch', 'mmdebstrap.x', place);
    await mkdir(point, { recursive: true });
    await run(['mount', '-t', 'tmpfs', 'walt-test', point]);
    await mkdir(join(point, 'proc'), { recursive: true });
  }
  const held = new AbortController();
  await withFileLock(
    join(cache, 'default-amd64.lock'),
    held.signal,
    () => {},
    async () => {
      await sweepMaking(cache);
      assert.ok((await readdir(cache)).includes('default-amd64.scratch'), 'somebody makes it');
      assert.equal((await mounts(cache)).length, 2);
      assert.ok(!(await readdir(cache)).includes(`toolchain-arm64-${key}.tar.tmp`));
    },
  );
  await sweepMaking(cache);
  const left = await readdir(cache);
  assert.deepEqual(
    own.filter((name) => left.includes(name)),
    [],
  );
  assert.deepEqual(await mounts(cache), []);
  assert.equal(await readFile(join(cache, `default-amd64-${key}.tar`), 'utf8'), 'whole');
  await sweepMaking(join(cache, 'none'));
});
