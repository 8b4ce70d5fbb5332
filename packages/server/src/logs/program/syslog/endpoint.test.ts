/** Syslog as Debian's logger(1) sends it, and as nobody should. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createLog, defaultLimits, run } from '../../../platform/index.ts';
import { HEAD } from '../chunk.ts';
import { textOf } from '../chunk-rows.ts';
import { LogStore } from '../store.ts';
import { droppedBy, SyslogEndpoint } from './endpoint.ts';

const journal: string[] = [];
const log = createLog('test', (line) => journal.push(line));
const limits = { ...defaultLimits().machines, each: 8 };

let folder: string;
let store: LogStore;
let endpoint: SyslogEndpoint;
let ports: { udp: number; tcp: number; netconsole: number };
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-syslog-'));
  store = await LogStore.open({ file: join(folder, 'logs.db') }, log);
  endpoint = new SyslogEndpoint({ store, log, limits, isMachine: (ip) => ip !== '127.0.0.9' });
  ports = await endpoint.listen('127.0.0.1', { syslog: 0, netconsole: 0 });
});
after(async () => {
  await endpoint.close();
  await store.close();
  await rm(folder, { recursive: true });
});

/** Lines of an address, once there are so many that match, as `STREAM TEXT`. */
async function lines(ip: string, pattern: string, count: number): Promise<string[]> {
  const found: string[] = [];
  let after = 0;
  for (;;) {
    const changed = Promise.withResolvers<void>();
    using _follower = store.follow(changed.resolve);
    for (const chunk of await store.arrivals(after, Number.MAX_SAFE_INTEGER)) {
      after = chunk.id;
      const stream = store.stream(chunk.stream);
      if (stream?.issuer !== ip) continue;
      const texts = textOf(chunk).toString().trimEnd().split('\n');
      found.push(
        ...texts.map((text) => `${stream.name} ${text.slice(HEAD)}`).filter((text) => text.includes(pattern)),
      );
    }
    if (found.length >= count) return found;
    await changed.promise;
  }
}

const logger = (port: number, ...words: string[]) =>
  run(['logger', '--server', '127.0.0.1', '--port', String(port), '-t', 'mytag', ...words]);

describe('logger(1)', () => {
  const ways: [way: string, words: string[], text: RegExp][] = [
    ['RFC 5424 by UDP', ['--udp', '--rfc5424'], /^user\.notice \[timeQuality .*\]: /],
    ['RFC 5424 by TCP', ['--tcp', '--rfc5424'], /^user\.notice \[timeQuality .*\]: /],
    [
      'RFC 5424 by TCP, counted',
      ['--tcp', '--rfc5424', '--octet-count'],
      /^user\.notice \[timeQuality .*\]: /,
    ],
    ['RFC 3164 by UDP', ['--udp', '--rfc3164', '-p', 'local3.err', '--id=77'], /^local3\.err 77: /],
    ['RFC 3164 by TCP', ['--tcp', '--rfc3164', '-p', 'cron.debug', '--id=77'], /^cron\.debug 77: /],
  ];
  for (const [way, words, text] of ways) {
    test(way, async () => {
      const port = words[0] === '--udp' ? ports.udp : ports.tcp;
      await logger(port, ...words, `${way} is here: é`);
      const [line = ''] = await lines('127.0.0.1', `${way} is here`, 1);
      assert.ok(line.startsWith('syslog.mytag '), line);
      assert.match(line.slice('syslog.mytag '.length), text);
      assert.ok(line.endsWith(`: ${way} is here: é`), line);
    });
  }

  test('kind of message and data', async () => {
    const data = ['--msgid', 'M1', '--sd-id', 'zoo@123', '--sd-param', 'tiger="hungry"'];
    await logger(ports.udp, '--udp', '--rfc5424=notq', ...data, 'has data');
    assert.deepEqual(await lines('127.0.0.1', 'has data', 1), [
      'syslog.mytag user.notice M1 [zoo@123 tiger="hungry"]: has data',
    ]);
  });
});

test('a kernel, by netconsole', async () => {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.5');
  await once(socket, 'listening');
  const texts = ['[    1.5] usb 1-1: new\n', '\n', '6,44,5,-;started\n SUBSYSTEM=net\n'];
  for (const text of texts) {
    await new Promise((resolve) => socket.send(text, ports.netconsole, '127.0.0.1', resolve));
  }
  socket.close();
  assert.deepEqual(await lines('127.0.0.5', '', 3), [
    ...['netconsole [    1.5] usb 1-1: new', 'netconsole started', 'netconsole  SUBSYSTEM=net'],
  ]);
});

async function talk(localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port: ports.tcp, host: '127.0.0.1', localAddress });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** However it is cut off. */
const closed = (socket: Socket) =>
  socket.closed ? undefined : new Promise<void>((resolve) => socket.once('close', () => resolve()));

describe('whoever else', () => {
  test('is not on walt-net, is not heard', async () => {
    const socket = await talk('127.0.0.9');
    socket.write('<13>foreign\n');
    await closed(socket);
    const datagrams = createSocket('udp4');
    datagrams.bind(0, '127.0.0.9');
    await once(datagrams, 'listening');
    await new Promise((resolve) => datagrams.send('<13>foreign', ports.udp, '127.0.0.1', resolve));
    datagrams.close();
    await logger(ports.udp, '--udp', 'after the foreign one');
    await lines('127.0.0.1', 'after the foreign one', 1);
    assert.ok([...store.streams()].every(({ issuer }) => issuer !== '127.0.0.9'));
  });

  test('breaks off in a message: what has come is kept', async () => {
    const socket = await talk('127.0.0.2');
    socket.end('<13>whole\n<13>bro');
    assert.deepEqual(await lines('127.0.0.2', '', 2), [
      'syslog user.notice: whole',
      'syslog user.notice: bro',
    ]);
  });

  test('sends no messages is cut off', async () => {
    const socket = await talk();
    socket.write('99999999999999999999');
    await closed(socket);
  });

  test('sends 10 MB without an end has its beginning kept', async () => {
    const socket = await talk('127.0.0.3');
    socket.end(`<13>1 - - long - - - ${'x'.repeat(10_000_000)}`);
    const [line = ''] = await lines('127.0.0.3', 'xxx', 1);
    assert.match(line, /^syslog\.long user\.notice: x+$/);
    assert.ok(line.length < 70_000);
  });

  test('makes up programs gets no more streams than are meant for one', async () => {
    const socket = await talk('127.0.0.4');
    for (let at = 0; at < 1000; at += 1) socket.write(`<13>1 - - app${at} - - - number ${at}\n`);
    socket.end();
    const all = await lines('127.0.0.4', 'number', 1000);
    assert.equal(new Set(all.map((line) => line.split(' ')[0])).size, 200);
    assert.ok(all.includes('syslog user.notice: number 999'));
  });

  test('makes up addresses leaves a stream to each other, and what is forgotten makes room', async () => {
    const [all, kept] = [
      new SyslogEndpoint({ store, log, limits, isMachine: () => true, streams: 3 }),
      '127.0.1.1',
    ];
    const { tcp } = await all.listen('127.0.0.1', { syslog: 0, netconsole: 0 });
    const send = async (localAddress: string, ...texts: string[]) => {
      const socket = connect({ port: tcp, host: '127.0.0.1', localAddress });
      socket.end(texts.map((text) => `<13>1 - - ${text} - - - ${text}\n`).join(''));
      const told = await lines(localAddress, '', texts.length);
      return told.map((line) => line.split(' ')[0]);
    };
    // Those of the tests before.
    all.forgetOthers(new Set());
    const named = ['syslog.a', 'syslog.b'];
    try {
      assert.deepEqual(await send(kept, 'a', 'b'), named);
      assert.deepEqual(await send('127.0.1.2', 'a', 'b'), ['syslog.a', 'syslog']);
      assert.deepEqual(await send('127.0.1.3', 'a', 'b'), ['syslog', 'syslog']);
      all.forgetOthers(new Set([kept]));
      assert.deepEqual(await send('127.0.1.4', 'a', 'b'), ['syslog.a', 'syslog']);
    } finally {
      await all.close();
    }
  });

  test('holds more connections than one may is refused', async () => {
    const held = await Promise.all(Array.from({ length: 8 }, () => talk('127.0.0.5')));
    const more = await talk('127.0.0.5');
    await closed(more);
    held[0]?.end('<13>still heard\n');
    assert.equal((await lines('127.0.0.5', 'still heard', 1)).length, 1);
    for (const socket of held) socket.destroy();
  });

  test('nothing of it is a mistake', () => {
    assert.deepEqual(
      journal.filter((line) => / failed/.test(line)),
      [],
    );
  });
});

test('what the kernel drops is read', () => {
  // proc(5).
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 1290: 0100490A:0202 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 53311 2 0000000000000000 17
 1844: 0100007F:0203 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 53312 2 0000000000000000 4
`;
  assert.equal(droppedBy(table, 514), 17);
  assert.equal(droppedBy(table, 516), 0);
});
