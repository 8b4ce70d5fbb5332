import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { run } from '../../platform/index.ts';
import { keepBusybox, readBusybox } from './busybox.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-busybox-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** An ELF header of a static program for `machine` (elf(5), e_machine). */
function program(machine: number): Buffer {
  const header = Buffer.alloc(64);
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  header.writeUInt16LE(machine, 18);
  return header;
}

/** A tar of a root file system with this program at `path`, and a folder to keep it. */
async function setUp(path: string, content: Buffer): Promise<{ tar: string; busybox: string }> {
  const root = join(folder, 'root');
  await mkdir(join(root, path, '..'), { recursive: true });
  await writeFile(join(root, path), content);
  const tar = join(folder, 'root.tar');
  await run(['tar', '-C', root, '-cf', tar, '.']);
  return { tar, busybox: join(folder, 'busybox') };
}

for (const path of ['usr/bin/busybox', 'bin/busybox']) {
  test(`a default image brings it for its CPU, as /${path}`, async () => {
    const { tar, busybox } = await setUp(path, program(40));
    await assert.rejects(readBusybox('armhf', { busybox }), {
      code: 'UNAVAILABLE',
      hint: /update-default-images --arch armhf/,
    });
    await keepBusybox('armhf', tar, { busybox });
    assert.deepEqual(await readBusybox('armhf', { busybox }), program(40));
    assert.deepEqual(await readdir(busybox), ['armhf']);
  });
}

test('one for another CPU is not taken', async () => {
  const { tar, busybox } = await setUp('bin/busybox', program(8));
  await keepBusybox('armhf', tar, { busybox });
  assert.deepEqual(await readdir(busybox), []);
});
