import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { capConsoleLog, olderConsoleLog } from './console-log.ts';

let folder: string;
let log: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-console-'));
  log = join(folder, 'console.log');
});
afterEach(() => rm(folder, { recursive: true }));

describe('capConsoleLog', () => {
  it('puts the history aside once it exceeds the limit, in place of the older part', async () => {
    await writeFile(olderConsoleLog(log), 'oldest');
    await writeFile(log, '0123456789');
    assert.equal(await capConsoleLog(log, 10), false);
    assert.equal(await capConsoleLog(log, 9), true);
    assert.equal(await readFile(olderConsoleLog(log), 'utf8'), '0123456789');
    assert.equal(await readFile(log, 'utf8'), '');
  });

  it('has nothing to do where there is no log', async () => {
    assert.equal(await capConsoleLog(log, 0), false);
  });
});
