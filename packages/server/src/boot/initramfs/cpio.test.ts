import assert from 'node:assert/strict';
import { lstat, mkdtemp, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../../platform/index.ts';
import { type CpioEntry, cpioArchive } from './cpio.ts';

const entries: CpioEntry[] = [
  { path: 'bin', type: 'folder', mode: 0o755 },
  { path: 'bin/program', type: 'file', mode: 0o750, content: Buffer.from('#!/bin/sh\n') },
  { path: 'bin/sh', type: 'link', target: 'program' },
  { path: 'empty', type: 'file', mode: 0o600, content: new Uint8Array() },
  { path: 'console', type: 'device', mode: 0o600, major: 5, minor: 1 },
];

test('another program unpacks what was packed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-cpio-'));
  try {
    await run(['busybox', 'cpio', '-i', '-d', '-m'], { cwd: folder, input: cpioArchive(entries) });
    const mode = async (path: string) => (await lstat(join(folder, path))).mode & 0o7777;
    assert.equal(await mode('bin'), 0o755);
    assert.equal(await mode('bin/program'), 0o750);
    assert.equal(await readFile(join(folder, 'bin/program'), 'utf8'), '#!/bin/sh\n');
    assert.equal(await readlink(join(folder, 'bin/sh')), 'program');
    assert.equal(await readFile(join(folder, 'empty'), 'utf8'), '');
    const device = await lstat(join(folder, 'console'));
    assert.ok(device.isCharacterDevice());
    assert.equal(device.rdev, 0x501);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('equal entries give equal bytes', () => {
  assert.deepEqual(cpioArchive(entries), cpioArchive(structuredClone(entries)));
});
