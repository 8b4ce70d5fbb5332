import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { beforeEach, describe, test } from 'node:test';
import {
  booted,
  errorFrame,
  FLOOD,
  handOver,
  openApi,
  openStream,
  PIECE,
  settled,
} from '../../../test/api.ts';

const api = await openApi();
let alice: string;

beforeEach(async () => {
  alice = await api.token('alice');
});

describe('who loses a node', () => {
  const refusals: [what: string, user: string, lose: () => Promise<void>, code: string, words: RegExp][] = [
    ['to another user', 'alice', give, 'FORBIDDEN', /vnode1 belongs to bob/],
    ['because it was removed', 'alice', remove, 'NOT_FOUND', /removed/],
    ['as a user of this machine', 'carol', leave, 'UNAUTHENTICATED', /no login name/],
  ];

  async function give(): Promise<void> {
    await handOver(api, 'vnode1');
  }

  async function remove(): Promise<void> {
    await (await api.client('alice')).node.remove({ set: 'vnode1', yes: true });
  }

  async function leave(): Promise<void> {
    api.users.delete(1002);
    // For ten seconds, a user's existence is believed.
    api.passes(11_000);
    await api.services.rights.review();
  }

  for (const [what, user, lose, code, words] of refusals) {
    test(`${what} is cut off from it at that moment, and told why`, async () => {
      const { ip } = await api.node('vnode1', `${user}/debian`);
      const { promise: cut, resolve } = Promise.withResolvers<string>();
      const port = await api.serve(ip, (socket) => {
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
      const stream = await openStream(api, `/stream/tcp?node=vnode1&port=${port}`, await api.token(user));
      stream.socket.send(Buffer.from('before'));
      await stream.until('got before');
      await lose();
      // A client that does as if nothing had been.
      stream.socket.send(Buffer.from('after'));
      errorFrame(code, words)(await stream.ended);
      assert.equal(await cut, 'before');
      assert.equal(stream.received(), 'got before');
    });
  }

  test('is cut off though he reads no answer and ends nothing', async () => {
    const { ip } = await api.node('vnode1');
    const { promise: cut, resolve } = Promise.withResolvers<void>();
    const port = await api.serve(ip, (socket) => {
      socket.write('hello');
      socket.resume().once('end', () => {
        resolve();
        socket.end();
      });
    });
    const stream = await openStream(api, `/stream/tcp?node=vnode1&port=${port}`, alice);
    await stream.until('hello');
    stream.socket.pause();
    await give();
    await cut;
    stream.socket.terminate();
  });

  test('root stays; the next owner comes in when the node has booted for him', async () => {
    const { ip } = await api.node('vnode1');
    const port = await api.serve(ip, (socket) => {
      socket.on('error', () => {});
      socket.on('data', (data) => socket.write(`got ${data}`));
    });
    const path = `/stream/tcp?node=vnode1&port=${port}`;
    const root = await openStream(api, path, await api.token('root'));
    const boot = api.server.machines.hold();
    await give();
    root.socket.send(Buffer.from('on'));
    await root.until('got on');
    const bob = await api.token('bob');
    const early = await openStream(api, path, bob);
    errorFrame('UNAVAILABLE', /vnode1 still runs what alice booted/)(await early.ended);
    boot();
    await booted(api, 'vnode1');
    const late = await openStream(api, path, bob);
    late.socket.send(Buffer.from('in'));
    await late.until('got in');
    root.socket.terminate();
    late.socket.terminate();
  });
});

describe('the relay to a node', () => {
  test('carries bytes both ways, and ends when the node ends it', async () => {
    const { ip } = await api.node('vnode1');
    const port = await api.serve(ip, (socket) => {
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
    const { ip } = await api.node('vnode1');
    const port = await api.serve(ip, (socket) => {
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

  test('goes on when the node has ended its direction, for a client that ends both', async () => {
    const { ip } = await api.node('vnode1');
    const { promise: heard, resolve } = Promise.withResolvers<string>();
    const port = await api.serve(ip, (socket) => {
      let text = '';
      socket.on('data', (data) => {
        text += data;
      });
      socket.once('end', () => resolve(text));
      socket.end('no more of me');
    });
    const stream = await openStream(api, `/stream/tcp?node=vnode1&port=${port}&both=yes`, alice);
    await stream.until('no more of me');
    stream.socket.send(Buffer.from('but of me'));
    stream.socket.send('{"type":"end"}');
    assert.equal(await heard, 'but of me');
    await stream.ended;
  });

  test('delivers what a client sent before it left', async () => {
    const { ip } = await api.node('vnode1');
    const { promise: received, resolve } = Promise.withResolvers<number>();
    const port = await api.serve(ip, (socket) => {
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
    const { ip } = await api.node('vnode1');
    const { promise: connected, resolve } = Promise.withResolvers<Socket>();
    const port = await api.serve(ip, resolve);
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
    const { ip } = await api.node('vnode1');
    const { promise: connected, resolve } = Promise.withResolvers<Socket>();
    const port = await api.serve(ip, resolve);
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
    'to an unknown node': {
      query: 'node=nowhere&port=22',
      code: 'NOT_FOUND',
      message: /no node named "nowhere"/,
    },
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
      await api.node('vnode1');
      await api.node('vnode2', 'bob/debian');
      await api.server.addNode('vnode3', 'alice/debian', 'physical');
      const boot = api.server.machines.hold();
      await api.server.addNode('vnode4');
      const stream = await openStream(api, `/stream/tcp?${refusal.query}`, refusal.as ?? alice);
      errorFrame(refusal.code, refusal.message)(await stream.ended);
      // It never came to boot.
      await api.server.clear();
      boot();
    });
  }

  test('is ended for a client that breaks the protocol', async () => {
    const { ip } = await api.node('vnode1');
    const port = await api.serve(ip, (socket) => socket.on('data', () => {}));
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
