import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { usePlatform } from '../../../test/platform.ts';
import { run } from '../../platform/index.ts';

test('a large layer tells its bytes while its volume is made', async () => {
  const { platform } = await usePlatform();
  const root = join(platform.folder, 'root');
  await mkdir(root);
  // Each line is another one: it takes seconds to compress.
  const lines = Array.from({ length: 1_200_000 }, (_, at) => `line ${at} of ${Math.sin(at)}`);
  for (const name of 'abcd') await writeFile(join(root, name), lines.join('\n'));
  const tar = join(platform.folder, 'root.tar');
  await run(['tar', '-C', root, '-cf', tar, '.']);
  const call = platform.images.importTar(
    'ann',
    { tar, architecture: 'amd64' },
    { owner: 'ann', name: 'big' },
    false,
  );
  const told: number[] = [];
  for (let next = await call.next(); !next.done; next = await call.next()) {
    const { step, done = 0, total = 0, unit } = next.value;
    if (step !== 'Making the volumes that nodes mount') continue;
    assert.equal(unit, 'bytes');
    assert.ok(total > 100_000_000 && done <= total, `${done} of ${total}`);
    told.push(done);
  }
  assert.deepEqual(
    told,
    told.toSorted((a, b) => a - b),
  );
  const between = new Set(told.filter((done) => done > 0));
  assert.ok(between.size >= 2, told.join(' '));
});
