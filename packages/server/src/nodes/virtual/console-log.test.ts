import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { capConsoleLog, consoleLogSize, consoleSpeaks, olderConsoleLog } from './console-log.ts';

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
    assert.equal(await consoleLogSize(log), 0);
  });
});

describe('consoleSpeaks', () => {
  beforeEach(() => writeFile(log, 'login: '));

  it('hears what was said before the call', async () => {
    assert.equal(await consoleSpeaks(log, 0, 10_000), true);
  });

  it('hears what is said from then on', async () => {
    const heard = consoleSpeaks(log, 7, 10_000);
    await appendFile(log, 'SeaBIOS');
    assert.equal(await heard, true);
  });

  it('gives up on a silent console', async () => {
    assert.equal(await consoleSpeaks(log, 7, 50), false);
  });
});
