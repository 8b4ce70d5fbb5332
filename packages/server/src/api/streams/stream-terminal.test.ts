import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { errorFrame, FLOOD, openStream, PIECE, settled, startApi, type TestApi } from '../../../test/api.ts';
import { listen } from '../listeners/index.ts';

let api: TestApi;
let alice: string;

beforeEach(async () => {
  api = await startApi();
  alice = await api.token('alice');
});
afterEach(() => api[Symbol.asyncDispose]());

describe('the terminal of an image shell', () => {
  const path = (id: string) => `/stream/job?job=${id}&columns=80&rows=24`;
  const session = async () => (await api.images.shells.open('alice', api.images.add('alice', 'exp'))).id;

  const attached = () => {
    const last = api.images.shells.attached.at(-1);
    assert.ok(last, 'nobody is attached');
    return last;
  };

  test('types, prints, resizes, and tells the exit status', async () => {
    const stream = await openStream(api, path(await session()), alice);
    stream.socket.send('{"type":"resize","columns":100,"rows":30}');
    stream.socket.send(Buffer.from('ls\n'));
    await api.images.shells.attachment();
    const { shell, exit } = attached();
    const [typed] = await once(shell, 'data');
    assert.equal(typed.toString(), 'ls\n');
    assert.deepEqual(
      api.images.shells.sizes.map(({ columns, rows }) => [columns, rows]),
      [
        [80, 24],
        [100, 30],
      ],
    );
    shell.write('bin etc\n');
    await stream.until('bin etc\n');
    shell.write('last words');
    exit(7);
    assert.deepEqual(await stream.ended, { type: 'exit', status: 7 });
    assert.match(stream.received(), /last words$/);
  });

  test('is left alone by a client that goes or is killed', async () => {
    const id = await session();
    for (const leave of ['close', 'terminate'] as const) {
      const stream = await openStream(api, path(id), alice);
      await api.images.shells.attachment();
      const { shell, detached } = attached();
      shell.write('$ ');
      await stream.until('$ ');
      stream.socket[leave]();
      await detached;
    }
    assert.ok(api.images.shells.sessions.has(id));
    assert.deepEqual(api.journal, []);
  });

  test('is left by a client that is killed while the shell takes no input', async () => {
    const socket = `${api.folder}/second.sock`;
    const second = await listen(api.services, { socket }, { heartbeat: 50 });
    const stream = await openStream({ socket }, path(await session()), alice);
    await api.images.shells.attachment();
    const { detached } = attached();
    for (let sent = 0; sent < FLOOD; sent += PIECE) stream.socket.send(Buffer.alloc(PIECE));
    const waiting = await settled(() => stream.socket.bufferedAmount);
    assert.ok(waiting > FLOOD / 2, `${FLOOD - waiting} bytes were taken from the client`);
    stream.socket.terminate();
    await detached;
    await second.close();
  });

  test('is for who opened the session', async () => {
    const stream = await openStream(api, path(await session()), await api.token('bob'));
    errorFrame('FORBIDDEN', /opened by alice/)(await stream.ended);
    const none = await openStream(api, path('0000000000000009'), alice);
    errorFrame('NOT_FOUND', /no session/)(await none.ended);
  });
});
