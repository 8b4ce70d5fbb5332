import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { attempt } from '../../platform/index.ts';
import { inspectElf } from './elf.ts';
import { kexecCall } from './kexec-call.ts';

let folder: string;
let program: string;
const isAmd64 = process.arch === 'x64';

before(async () => {
  folder = await mkdtemp('/var/tmp/walt-kexec-call-');
  program = join(folder, 'kexec-call');
  await writeFile(program, kexecCall('amd64') ?? '', { mode: 0o755 });
});
after(() => rm(folder, { recursive: true }));

test('is a static program of its CPU, where there is one', () => {
  assert.deepEqual(inspectElf(kexecCall('amd64') ?? assert.fail()), {
    architecture: 'amd64',
    isStatic: true,
  });
  assert.equal(kexecCall('arm64'), undefined);
});

// Without the right to do either, of which the kernel asks first: this machine goes on.
for (const words of [['console=ttyS0 quiet'], []]) {
  test(`tells what the kernel answers with ${words.length} words`, { skip: !isAmd64 }, async () => {
    const line = 'exec 3< /dev/null 4< /dev/null && exec "$@"';
    const powerless = ['setpriv', '--bounding-set=-sys_boot', '--', program, ...words];
    const { status } = await attempt(['sh', '-c', line, 'sh', ...powerless], { cwd: tmpdir() });
    const { EPERM, ENOSYS } = constants.errno;
    // A kernel may do without the first of the two calls.
    assert.ok(status === EPERM || (words.length > 0 && status === ENOSYS), `exit status ${status}`);
  });
}
