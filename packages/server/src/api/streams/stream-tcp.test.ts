import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { errorFrame, FLOOD, openStream, PIECE, settled, startApi, type TestApi } from '../../../test/api.ts';

let api: TestApi;
let alice: string;

beforeEach(async () => {
  api = await startApi();
  alice = await api.token('alice');
});
afterEach(() => api[Symbol.asyncDispose]());

describe('who loses a node', () => {
  const refusals: [what: string, lose: (id: number) => Promise<void>, code: string, words: RegExp][] = [
    ['to another user', (id) => give(id, { owner: 'bob' }), 'FORBIDDEN', /vnode1 belongs to bob/],
    ['because it was removed', remove, 'NOT_FOUND', /removed/],
    ['as a user of this machine', leave, 'UNAUTHENTICATED', /no login name/],
  ];

  async function give(id: number, change: { owner?: string; bootOwner?: string }): Promise<void> {
    Object.assign(await api.nodes.tenants(id), change);
    await api.services.rights.review();
  }

  async function remove(): Promise<void> {
    api.nodes.endpoints.clear();
    await api.services.rights.review();
  }

  async function leave(): Promise<void> {
    api.users.delete(1000);
    // For ten seconds, a user's existence is believed.
    api.passes(11_000);
    await api.services.rights.review();
  }

  for (const [what, lose, code, words] of refusals) {
    test(`${what} is cut off from it at that moment, and told why`, async () => {
      const { id } = api.nodes.add('vnode1', { owner: 'alice' });
      const { promise: cut, resolve } = Promise.withResolvers<string>();
      const port = await api.serve(0, (socket) => {
        let text = '';
        socket.on('data', (data) => {
          text += data;
          socket.write(`got ${data}`);
        });
        socket.once('end', () => {
          resolve(text);
          socket.end();
        });
      });
      const stream = await openStream(api, `/stream/tcp?node=vnode1&port=${port}`, alice);
      stream.socket.send(Buffer.from('before'));
      await stream.until('got before');
      await lose(id);
      // A client that does as if nothing had been.
      stream.socket.send(Buffer.from('after'));
      errorFrame(code, words)(await stream.ended);
      assert.equal(await cut, 'before');
      assert.equal(stream.received(), 'got before');
    });
  }

  test('is cut off though he reads no answer and ends nothing', async () => {
    const { id } = api.nodes.add('vnode1', { owner: 'alice' });
    const { promise: cut, resolve } = Promise.withResolvers<void>();
    const port = await api.serve(0, (socket) => {
      socket.write('hello');
      socket.resume().once('end', () => {
        resolve();
        socket.end();
      });
    });
    const stream = await openStream(api, `/stream/tcp?node=vnode1&port=${port}`, alice);
    await stream.until('hello');
    stream.socket.pause();
    await give(id, { owner: 'bob' });
    await cut;
    stream.socket.terminate();
  });

  test('root stays; the next owner comes in when the node has booted for him', async () => {
    const { id } = api.nodes.add('vnode1', { owner: 'alice', bootOwner: 'alice' });
    const port = await api.serve(0, (socket) => {
      socket.on('error', () => {});
      socket.on('data', (data) => socket.write(`got ${data}`));
    });
    const path = `/stream/tcp?node=vnode1&port=${port}`;
    const root = await openStream(api, path, await api.token('root'));
    await give(id, { owner: 'bob' });
    root.socket.send(Buffer.from('on'));
    await root.until('got on');
    const bob = await api.token('bob');
    const early = await openStream(api, path, bob);
    errorFrame('UNAVAILABLE', /vnode1 still runs what alice booted/)(await early.ended);
    await give(id, { bootOwner: 'bob' });
    const late = await openStream(api, path, bob);
    late.socket.send(Buffer.from('in'));
    await late.until('got in');
    root.socket.terminate();
    late.socket.terminate();
  });
});

describe('the relay to a node', () => {
  test('carries bytes both ways, and ends when the node ends it', async () => {
    api.nodes.add('vnode1', { owner: 'alice' });
    const port = await api.serve(0, (socket) => {
      socket.write('SSH-2.0-test\r\n');
      socket.once('data', (data) => socket.end(`got ${data}`));
    });
    const stream = await openStream(api, `/stream/tcp?node=vnode1&port=${port}`, alice);
    await stream.until('SSH-2.0-test\r\n');
    stream.socket.send(Buffer.from('hello'));
    assert.equal(await stream.ended, undefined);
    assert.equal(stream.received(), 'SSH-2.0-test\r\ngot hello');
  });

  test('lets the client end its direction and still listen', async () => {
    api.nodes.add('vnode1');
    const port = await api.serve(0, (socket) => {
      let text = '';
      socket.on('data', (data) => {
        text += data;
      });
      socket.once('end', () => socket.end(`all of ${text}`));
    });
    const stream = await openStream(api, `/stream/tcp?node=vnode1&port=${port}`, alice);
    stream.socket.send(Buffer.from('it'));
    stream.socket.send('{"type":"end"}');
    await stream.ended;
    assert.equal(stream.received(), 'all of it');
  });

  test('delivers what a client sent before it left', async () => {
    api.nodes.add('vnode1');
    const { promise: received, resolve } = Promise.withResolvers<number>();
    const port = await api.serve(0, (socket) => {
      let bytes = 0;
      socket.on('data', (data) => {
        bytes += data.length;
      });
      socket.once('end', () => {
        socket.end();
        resolve(bytes);
      });
    });
    const stream = await openStream(api, `/stream/tcp?node=vnode1&port=${port}`, alice);
    for (let count = 0; count < 64; count++) stream.socket.send(Buffer.alloc(65_536));
    stream.socket.close();
    assert.equal(await received, 64 * 65_536);
  });

  test('holds the node back while the client does not read', async () => {
    api.nodes.add('vnode1');
    const { promise: connected, resolve } = Promise.withResolvers<Socket>();
    const port = await api.serve(0, resolve);
    const stream = await openStream(api, `/stream/tcp?node=vnode1&port=${port}`, alice);
    const far = await connected;
    stream.socket.pause();
    for (let sent = 0; sent < FLOOD; sent += PIECE) far.write(Buffer.alloc(PIECE));
    far.end();
    const waiting = await settled(() => far.writableLength);
    assert.ok(waiting > FLOOD / 2, `${FLOOD - waiting} bytes were taken from the node`);
    stream.socket.resume();
    await stream.ended;
    assert.equal(stream.received().length, FLOOD);
  });

  test('holds the client back while the node does not read', async () => {
    api.nodes.add('vnode1');
    const { promise: connected, resolve } = Promise.withResolvers<Socket>();
    const port = await api.serve(0, resolve);
    const stream = await openStream(api, `/stream/tcp?node=vnode1&port=${port}`, alice);
    const far = await connected;
    far.pause();
    for (let sent = 0; sent < FLOOD; sent += PIECE) stream.socket.send(Buffer.alloc(PIECE));
    stream.socket.send('{"type":"end"}');
    const waiting = await settled(() => stream.socket.bufferedAmount);
    assert.ok(waiting > FLOOD / 2, `${FLOOD - waiting} bytes were taken from the client`);
    let bytes = 0;
    far.on('data', (data) => {
      bytes += data.length;
    });
    far.resume();
    await once(far, 'end');
    assert.equal(bytes, FLOOD);
    far.end();
    await stream.ended;
  });

  const refusals: Record<string, { query: string; as?: string; code: string; message: RegExp }> = {
    'without a token': {
      query: 'node=vnode1&port=22',
      as: '',
      code: 'UNAUTHENTICATED',
      message: /not signed in/,
    },
    'to a node of somebody else': {
      query: 'node=vnode2&port=22',
      code: 'FORBIDDEN',
      message: /belongs to bob/,
    },
    'to an unknown node': { query: 'node=nowhere&port=22', code: 'NOT_FOUND', message: /no node nowhere/ },
    'to a node that is off': { query: 'node=vnode3&port=22', code: 'UNAVAILABLE', message: /vnode3 is off/ },
    'to a node that boots': { query: 'node=vnode4&port=22', code: 'UNAVAILABLE', message: /still booting/ },
    'to a port where nobody listens': {
      query: 'node=vnode1&port=1',
      code: 'UNAVAILABLE',
      message: /Port 1 of node vnode1 refuses/,
    },
    'to no port': {
      query: 'node=vnode1&port=70000',
      code: 'INVALID',
      message: /^The port "70000" is not valid/,
    },
    'to an address instead of a node': {
      query: 'node=127.0.0.1&port=22',
      code: 'INVALID',
      message: /The node "127\.0\.0\.1" must be/,
    },
  };
  for (const [name, refusal] of Object.entries(refusals)) {
    test(`is refused ${name}`, async () => {
      api.nodes.add('vnode1', { owner: 'alice' });
      api.nodes.add('vnode2', { owner: 'bob' });
      api.nodes.add('vnode3', { state: 'off' });
      api.nodes.add('vnode4', { state: 'booting' });
      const stream = await openStream(api, `/stream/tcp?${refusal.query}`, refusal.as ?? alice);
      errorFrame(refusal.code, refusal.message)(await stream.ended);
    });
  }

  test('is ended for a client that breaks the protocol', async () => {
    api.nodes.add('vnode1');
    const port = await api.serve(0, (socket) => socket.on('data', () => {}));
    for (const text of ['{', '{"type":"format"}']) {
      const stream = await openStream(api, `/stream/tcp?node=vnode1&port=${port}`, alice);
      stream.socket.send(text);
      const [code] = await once(stream.socket, 'close');
      assert.equal(code, 1008);
    }
  });
});

test('a stream that does not exist is refused before it opens', async () => {
  await assert.rejects(openStream(api, '/stream/other', alice), /404/);
});
