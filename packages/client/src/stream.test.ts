import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { afterEach, beforeEach, test } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Connection } from './connection.ts';
import { flushed } from './drain.ts';
import { AbortError } from './errors.ts';
import { attachToJob } from './job.ts';
import { localRoute } from './local.ts';
import { ByteStream } from './stream.ts';

const PIECE = Buffer.alloc(16 * 1024);
const PIECES = 200;

let folder: string;
let http: Server;
let connection: Connection;
/** The server's side of the stream. */
let served: Promise<WebSocket>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'walt-stream-'));
  http = createServer();
  const sockets = new WebSocketServer({ server: http });
  served = new Promise((resolve) => sockets.once('connection', resolve));
  const socket = join(folder, 'walt.sock');
  await new Promise<void>((resolve) => http.listen(socket, resolve));
  const token = async () => 'token';
  const credentials = { token, renew: token, user: async () => 'ann' };
  connection = { client: {} as Connection['client'], credentials, route: localRoute(socket) };
});

afterEach(() => {
  http.closeAllConnections();
  http.close();
  rmSync(folder, { recursive: true });
});

function open(onData: (bytes: Buffer) => void, onOpen = () => {}): ByteStream {
  return new ByteStream(connection, '/stream/console', { node: 'vnode1' }, { onData, onOpen });
}

async function sendAll(): Promise<void> {
  const socket = await served;
  for (let sent = 0; sent < PIECES; sent += 1) socket.send(PIECE);
  socket.close();
}

test('a slow sink holds the stream back, with one listener however much was under way', async () => {
  let taken = 0;
  let most = 0;
  const sink = new Writable({
    highWaterMark: 1,
    write: (bytes: Buffer, _encoding, done) => {
      taken += bytes.length;
      setImmediate(done);
    },
  });
  const stream = open((bytes) => {
    stream.passOn(bytes, sink);
    most = Math.max(most, sink.listenerCount('drain'));
  });
  await sendAll();
  await stream.ended;
  await flushed(sink);
  assert.equal(taken, PIECES * PIECE.length);
  assert.equal(most, 1);
  assert.deepEqual([sink.listenerCount('drain'), sink.listenerCount('close')], [0, 0]);
});

test('a sink that closes holds nothing back: the rest is read to the end', async () => {
  const sink = new PassThrough({ highWaterMark: 1 });
  sink.on('error', () => {});
  let read = 0;
  const stream = open((bytes) => {
    read += bytes.length;
    stream.passOn(bytes, sink);
    setImmediate(() => sink.destroy());
  });
  await sendAll();
  await stream.ended;
  await flushed(sink);
  assert.equal(read, PIECES * PIECE.length);
});

test('a source is paused until what it gave has left, and flows again only for a reader', async () => {
  const opened = Promise.withResolvers<void>();
  const stream = open(() => {}, opened.resolve);
  await opened.promise;
  const source = new PassThrough();
  source.on('data', (bytes: Buffer) => stream.sendFrom(source, bytes));
  source.write(Buffer.alloc(1024 * 1024));
  await new Promise(setImmediate);
  assert.equal(source.isPaused(), true);
  await stream.drained();
  await new Promise(setImmediate);
  assert.equal(source.isPaused(), false);
  stream.sendFrom(source, Buffer.alloc(1024 * 1024));
  source.removeAllListeners('data');
  source.pause();
  await stream.drained();
  await new Promise(setImmediate);
  assert.equal(source.isPaused(), true);
  stream.close();
  await stream.ended;
});

/** No JSON, whose steering a terminal would follow; JSON of another kind. */
const JUNK = ['\x1b]0;pwned\x07', 'null', '"text"', ''];
for (const junk of JUNK) {
  test(`a frame ${JSON.stringify(junk)} is none of a server's, which ends the stream and not the program`, async () => {
    const stream = open(() => {});
    (await served).send(junk);
    await assert.rejects(stream.ended, foreign);
  });

  test(`nor is an event ${JSON.stringify(junk)} of a job`, async () => {
    const handlers = { onOutput: () => {}, onEvent: () => assert.fail('it is none') };
    const stream = attachToJob(connection, { job: '0'.repeat(32) }, handlers);
    (await served).send(Buffer.from(`\0${junk}`));
    await assert.rejects(stream.ended, foreign);
  });
}

function foreign(error: unknown): boolean {
  assert.ok(error instanceof AbortError);
  assert.match(error.message, /^What answers at .* is no WalT server of this version\.$/);
  return true;
}
