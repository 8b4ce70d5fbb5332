import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLog, run } from '../../platform/index.ts';
import { linesOf, storedLine, timeAt } from './chunk.ts';
import { textOf } from './chunk-rows.ts';
import { LogStore } from './store.ts';

const T = 1_790_000_000_000_000;

test('on a full disk, what cannot be stored is refused, what was acknowledged stays, and all goes on once there is room', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-logs-full-'));
  await run(['mount', '-t', 'tmpfs', '-o', 'size=8m', 'walt-logs-full', folder]);
  t.after(async () => {
    await run(['umount', '--lazy', folder]);
    await rm(folder, { recursive: true });
  });
  const ballast = join(folder, 'ballast');
  await writeFile(ballast, Buffer.alloc(3 * 1024 * 1024));
  const store = await LogStore.open(
    { file: join(folder, 'logs.db') },
    createLog('test', () => {}),
  );
  t.after(() => store.close());
  // Nothing that can be packed.
  const append = (number: number) => {
    const line = storedLine(T + number, Buffer.from(randomBytes(30_000).toString('base64')));
    return store.append({ issuer: 'n', streams: new Map([['s', [line]]]) });
  };
  const acknowledged: number[] = [];
  let refused = 0;
  for (let number = 0; refused < 3; number += 1) {
    assert.ok(number < 1000, 'the disk becomes full');
    try {
      await append(number);
      acknowledged.push(number);
    } catch (error) {
      assert.match(String(error), /full/);
      refused += 1;
    }
  }
  await rm(ballast);
  await append(5000);
  const { heads } = await store.heads(() => true, 0, Number.MAX_SAFE_INTEGER);
  const chunks = await store.chunks(heads.map(({ id }) => id));
  const stored = chunks.flatMap((chunk) => {
    const text = textOf(chunk);
    return Array.from(linesOf(text), ({ from }) => timeAt(text, from) - T);
  });
  assert.deepEqual(
    stored.sort((a, b) => a - b),
    [...acknowledged, 5000],
  );
});
