import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { PLATFORM_ISSUER } from '@walt/contract';
import { createLog } from '../../platform/index.ts';
import { storedLine } from './chunk.ts';
import { textOf } from './chunk-rows.ts';
import { tidy } from './keeper.ts';
import { LogStore } from './store.ts';

test('lines that went are told in a line, once', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-keeper-'));
  t.after(() => rm(folder, { recursive: true }));
  const log = createLog('test', () => {});
  const store = await LogStore.open({ file: join(folder, 'logs.db') }, log);
  t.after(() => store.close());
  const day = 86_400e6;
  for (const age of [3 * day, 2.5 * day, day]) {
    const lines = [storedLine(Date.now() * 1000 - age, Buffer.from('text'))];
    await store.append({ issuer: 'n', streams: new Map([['s', lines]]) });
  }
  for (let round = 0; round < 2; round += 1) await tidy(store, { days: 2, size: 2 ** 30 }, log);
  const { heads, streams } = await store.heads(() => true, 0, Number.MAX_SAFE_INTEGER);
  const chunks = await store.chunks(heads.map(({ id }) => id));
  const told = chunks.map((chunk) => {
    const { issuer, name } = streams.find(({ id }) => id === chunk.stream) ?? assert.fail();
    return `${issuer} ${name} ${textOf(chunk).toString().slice(17)}`;
  });
  assert.deepEqual(told.sort(), [
    'n s text\n',
    `${PLATFORM_ISSUER} platform.logs 2 lines went: they were older than 2 days, or all lines took more than 1024 MiB.\n`,
  ]);
});
