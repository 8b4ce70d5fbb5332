import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { attempt } from '../../platform/index.ts';
import { dmCall, verityRequest } from './dm-call.ts';
import { inspectElf } from './elf.ts';

const volume = { name: 'a.erofs', blocks: 1048, root: 'ab'.repeat(32) };
const EMULATORS = { amd64: 'qemu-x86_64-static', arm64: 'qemu-aarch64-static' };

let folder: string;
before(async () => {
  folder = await mkdtemp('/var/tmp/walt-dm-call-');
  await writeFile(join(folder, 'request'), verityRequest(volume, '/dev/loop0'));
});
after(() => rm(folder, { recursive: true }));

for (const architecture of ['amd64', 'arm64'] as const) {
  test(`is a static program for ${architecture}, which tells what the kernel answers`, async () => {
    const code = dmCall(architecture) ?? assert.fail();
    assert.deepEqual(inspectElf(code), { architecture, isStatic: true });
    const program = join(folder, architecture);
    await writeFile(program, code, { mode: 0o755 });
    const run = async (line: string) =>
      (await attempt(['sh', '-c', line, 'sh', EMULATORS[architecture], program], { cwd: folder })).status;
    const { EISDIR, EBADF, ENOTTY } = constants.errno;
    assert.equal(await run('exec "$@" < . 3< /dev/null'), EISDIR);
    assert.equal(await run('exec "$@" < request'), EBADF);
    assert.equal(await run('exec "$@" < request 3< /dev/null'), ENOTTY);
  });
}

test('there is none for other CPUs', () => {
  assert.equal(dmCall('armhf'), undefined);
  assert.equal(dmCall('i386'), undefined);
});

test('a request is a header, a target and its table', () => {
  const request = verityRequest(volume, '/proofs/a.erofs.device');
  assert.equal(request.length, request.readUInt32LE(12));
  const target = request.subarray(request.readUInt32LE(16));
  const text = (bytes: Buffer, at: number) => bytes.toString('latin1', at, bytes.indexOf(0, at));
  assert.deepEqual(
    [text(request, 48), target.readBigUInt64LE(8), text(target, 24), text(target, 40)],
    [
      ...['a.erofs', 8384n, 'verity'],
      `1 /proofs/a.erofs.device /proofs/a.erofs.device 4096 4096 1048 1048 sha256 ${volume.root} -`,
    ],
  );
});
