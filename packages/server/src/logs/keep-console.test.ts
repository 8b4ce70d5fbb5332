import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sql } from 'kysely';
import { createLog, defaultLimits, openDatabase } from '../platform/index.ts';
import { Logs } from './logs.ts';
import { openKeeper } from './program/index.ts';
import { reachedOf } from './program/spool-rows.ts';
import { logTables } from './program/tables.ts';
import { toldLines } from './told.ts';

const log = createLog('test', () => {});
const T = 1_790_000_000_000_000;
const ISSUER = '10.73.0.7';

test('what a console printed is stored once, and how far it is outlasts the program', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'walt-console-lines-'));
  t.after(() => rm(folder, { recursive: true }));
  const paths = { logSocket: join(folder, 'logs.sock') };
  const file = join(folder, 'logs.db');
  const open = () =>
    openKeeper({
      ...{ place: { file }, paths, limits: defaultLimits(), log, keep: { days: 90, size: 2 ** 30 } },
      ...{ address: '127.0.0.1', port: 0, nodes: { first: '127.0.0.1', last: '127.0.0.9' } },
      ...{ messages: { syslog: 0, netconsole: 0 }, machines: { first: '127.0.0.1', last: '127.0.0.9' } },
      thread: new URL('./program/queries/thread.ts', import.meta.url),
    });
  const logs = new Logs(paths, log);
  t.after(() => logs.close());
  const keep = (spool: string, from: number, reached: number, ...lines: string[]) =>
    logs.keepConsole({
      ...{ issuer: ISSUER, stream: 'console', spool, from, reached, time: T + reached },
      lines: lines.map((line) => Buffer.from(line, 'latin1')),
    });
  const lines = async () => {
    const query = { issuers: { [ISSUER]: 'n7' }, from: 0, to: Number.MAX_SAFE_INTEGER, follow: false };
    const told: string[] = [];
    for await (const some of toldLines(await logs.read(query, AbortSignal.timeout(60_000)))) {
      for (const { issuer, stream, time, text } of some) told.push(`${issuer}.${stream} ${time - T} ${text}`);
    }
    return told;
  };
  {
    await using _keeper = await open();
    // A log that is followed from its 100th byte on.
    assert.equal(await keep('console.a', 100, 100), 100);
    assert.equal(await keep('console.a', 100, 120, 'one', '', 'a\0b'), 120);
    assert.equal(await keep('console.a', 100, 120, 'one', '', 'a\0b'), 120);
    assert.equal(await keep('console.a', 0, 0), 120);
  }
  {
    await using _keeper = await open();
    assert.equal(await keep('console.a', 0, 0), 120);
    assert.equal(await keep('console.b', 0, 4, 'two'), 4);
    const expected = ['n7.console 4 two', 'n7.console 120 one', 'n7.console 121 ', 'n7.console 122 a\0b'];
    assert.deepEqual(await lines(), expected);
  }
  const database = await openDatabase(file, logTables);
  // A console that is silent for months is gone on with; a log that was emptied since is not.
  await sql`update log_received set at = case spool when 'console.a' then 1 else 2 end`.execute(database);
  await database.destroy();
  {
    await using _keeper = await open();
  }
  const after = await openDatabase(file, logTables);
  t.after(() => after.destroy());
  const spools = ['console.a', 'console.b'];
  assert.deepEqual(await Promise.all(spools.map((spool) => reachedOf(after, ISSUER, spool))), [0, 4]);
});
