import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createLog, defaultLimits } from '../../platform/index.ts';
import { textOf } from './chunk-rows.ts';
import { NodeEndpoint } from './node-endpoint.ts';
import { LogStore } from './store.ts';

const log = createLog('test', () => {});
const limits = defaultLimits().machines;

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-logs-'));
});
after(() => rm(folder, { recursive: true }));

/** Brings a record of some seconds ago, by a clock that is an hour late, which was read so long before it came. Answers the status. */
async function bring(port: number, query: string, ago: number, way: number): Promise<string> {
  const stamp = (before: number) => (Date.now() / 1000 - before - 3600).toFixed(6);
  const answer = await fetch(`http://127.0.0.1:${port}/node/log?${query}`, {
    method: 'POST',
    headers: { 'x-walt-clock': stamp(way) },
    body: `${stamp(ago)} s line ${query}\n`,
  });
  return `${answer.status} ${(await answer.text()).trim()}`;
}

test('lines keep the order of their node, however long their ways are, and whoever is started again', async () => {
  const spools = [
    { query: 'spool=boot.1&from=0', ago: 20, way: 19 },
    // Written before that was sent, and not in it.
    { query: 'spool=boot.2&from=0', ago: 19.5, way: 14 },
    { query: 'spool=boot.3&from=0', ago: 15, way: 12 },
    { query: 'spool=boot.4&from=0', ago: 10, way: 5 },
    { query: 'spool=boot.5&from=0', ago: 4, way: 0 },
  ];
  for (const { query, ago, way } of spools) {
    const store = await LogStore.open({ file: join(folder, 'logs.db') }, log);
    const endpoint = new NodeEndpoint({ store, log, limits, isIssuer: () => true });
    try {
      const port = await endpoint.listen('127.0.0.1', 0);
      assert.match(await bring(port, query, ago, way), /^200 \d+$/);
    } finally {
      await endpoint.close();
      await store.close();
    }
  }
  const store = await LogStore.open({ file: join(folder, 'logs.db') }, log);
  try {
    const { heads } = await store.heads(() => true, 0, Number.MAX_SAFE_INTEGER);
    const chunks = await store.chunks(heads.map(({ id }) => id));
    const lines = heads.map(({ id }) =>
      String(textOf(chunks.find((chunk) => chunk.id === id) ?? assert.fail())),
    );
    assert.deepEqual(
      lines.map((line) => line.replace(/^\d+ /, '')),
      spools.map(({ query }) => `line ${query}\n`),
    );
    const ago = Date.now() / 1000 - Number(lines.at(-1)?.slice(0, 16)) / 1e6;
    assert.ok(ago > -1 && ago < 60, `the last line is of ${ago} s ago`);
  } finally {
    await store.close();
  }
});

test('lines are taken by a clock of any year, and by the right one afterwards', async () => {
  const store = await LogStore.open({ file: join(folder, 'years.db') }, log);
  const endpoint = new NodeEndpoint({ store, log, limits, isIssuer: () => true });
  try {
    const port = await endpoint.listen('127.0.0.1', 0);
    for (const [at, clock] of ['999999999999', '0', '4503599628', '1790000000.5'].entries()) {
      const answer = await fetch(`http://127.0.0.1:${port}/node/log?spool=boot.${at}&from=0`, {
        ...{ method: 'POST', headers: { 'x-walt-clock': clock }, body: `${clock} s text\n` },
      });
      assert.equal(answer.status, 200, clock);
    }
  } finally {
    await endpoint.close();
    await store.close();
  }
});

test('what is no spool is refused', async () => {
  const store = await LogStore.open({ file: join(folder, 'refused.db') }, log);
  const endpoint = new NodeEndpoint({ store, log, limits, isIssuer: () => true });
  try {
    const port = await endpoint.listen('127.0.0.1', 0);
    for (const spool of ['', 'boot', '.1', 'boot.', 'boot.x', '../boot.1', 'b%20.1', `${'b'.repeat(81)}.1`]) {
      assert.match(await bring(port, `spool=${spool}&from=0`, 0, 0), /^400 /, spool);
    }
    assert.match(await bring(port, 'spool=boot.1&from=0', 0, 0), /^200 /);
  } finally {
    await endpoint.close();
    await store.close();
  }
});

test('a node that announces much and sends nothing keeps no other waiting', async () => {
  const store = await LogStore.open({ file: join(folder, 'waiting.db') }, log);
  const endpoint = new NodeEndpoint({ store, log, limits, isIssuer: () => true });
  const sockets: Socket[] = [];
  try {
    const port = await endpoint.listen('127.0.0.1', 0);
    /** Answers the first word of the status line, once the head was read. */
    const announce = async (localAddress: string, length: number, body = ''): Promise<string> => {
      const socket = connect({ port, host: '127.0.0.1', localAddress });
      sockets.push(socket);
      const head = ['POST /node/log?spool=boot.1&from=0 HTTP/1.1', 'host: x', 'x-walt-clock: 1790000000'];
      const more = body === '' ? ['expect: 100-continue'] : [];
      socket.write([...head, ...more, `content-length: ${length}`, '', body].join('\r\n'));
      const [answer] = await once(socket, 'data');
      return String(answer).split(' ')[1] ?? '';
    };
    const most = 256 * 1024;
    for (let count = 0; count < 4; count += 1) assert.equal(await announce('127.0.0.2', most), '100');
    const line = '1790000000 s text\n';
    assert.equal(await announce('127.0.0.2', line.length, line), '503');
    assert.equal(await announce('127.0.0.3', line.length, line), '200');
  } finally {
    for (const socket of sockets) socket.destroy();
    await endpoint.close();
    await store.close();
  }
});
