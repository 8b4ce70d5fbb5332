import assert from 'node:assert/strict';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { openStream, startApi, type TestApi } from '../../../test/api.ts';

let api: TestApi;
let alice: string;

beforeEach(async () => {
  api = await startApi();
  alice = await api.token('alice');
});
afterEach(() => api[Symbol.asyncDispose]());

const order = { name: 'lab', file: 'Dockerfile', dockerfile: 'FROM base' };

async function prepared(user: string): Promise<string> {
  return (await (await api.client(user)).image.build.open(order)).job;
}

async function preparedCross(user: string): Promise<string> {
  api.images.add(user, 'board');
  const wanted = { image: 'board', command: ['make'], folder: '/home/x', prefix: '/opt', save: false };
  for await (const event of await (await api.client(user)).image.cross.open(wanted))
    if (event.type === 'result') return event.value.job;
  throw new Error('no result');
}

describe('the stream of an image build', () => {
  test('takes the folder, and sends output and what was saved', async () => {
    api.nodes.booting.set('alice/lab', ['vnode1']);
    const stream = await openStream(api, `/stream/job?job=${await prepared('alice')}`, alice);
    await stream.until('ready');
    stream.socket.send(Buffer.from('half a '));
    stream.socket.send(Buffer.from('tar'));
    stream.socket.send('{"type":"end"}');
    const end = await stream.ended;
    const { digest } = await api.images.get('alice', 'lab');
    const saved = { image: 'alice/lab', digest, changed: true, nodes: ['vnode1'] };
    assert.deepEqual(end, { type: 'exit', status: 0, saved });
    assert.equal(api.images.builds.received?.toString(), 'half a tar');
    assert.equal(stream.received(), `\0{"type":"ready"}\x01FROM base`);
  });

  test('is for who opened it', async () => {
    const stream = await openStream(api, `/stream/job?job=${await prepared('bob')}`, alice);
    assert.partialDeepStrictEqual(await stream.ended, { type: 'error', code: 'NOT_FOUND' });
  });
});

describe('the stream of a build for another CPU', () => {
  test('takes the folder, and sends output, deletions, files and the exit status', async () => {
    const stream = await openStream(api, `/stream/job?job=${await preparedCross('alice')}`, alice);
    await stream.until('ready');
    stream.socket.send(Buffer.from('half a '));
    stream.socket.send(Buffer.from('tar'));
    stream.socket.send('{"type":"end"}');
    assert.deepEqual(await stream.ended, { type: 'exit', status: 3 });
    assert.equal(api.images.cross.received?.toString(), 'half a tar');
    assert.equal(
      stream.received(),
      '\x00{"type":"ready"}\x01make\x00{"type":"ended","status":3}\x00{"type":"deleted","paths":["old"]}\x03tar',
    );
  });

  test('is for who opened it', async () => {
    const stream = await openStream(api, `/stream/job?job=${await preparedCross('bob')}`, alice);
    assert.partialDeepStrictEqual(await stream.ended, { type: 'error', code: 'NOT_FOUND' });
  });
});

test('a client that left before its folder was asked for fails the build', { timeout: 60_000 }, async () => {
  const { promise: outcome, resolve } = Promise.withResolvers<unknown>();
  api.images.builds.run = async ({ signal, input }) => {
    await once(signal, 'abort');
    resolve(await buffer(input()).catch((error: unknown) => error));
    throw signal.reason;
  };
  const stream = await openStream(api, `/stream/job?job=${await prepared('alice')}`, alice);
  stream.socket.terminate();
  assert.match(String(await outcome), /the client has gone/);
});

describe('the opening of an image build', () => {
  test('asks before it replaces what no build made', async () => {
    api.images.add('alice', 'lab');
    const client = await api.client('alice');
    await assert.rejects(client.image.build.open(order), { code: 'CONFIRM' });
    await client.image.build.open({ ...order, yes: true });
    api.images.history.action = 'build';
    await client.image.build.open(order);
  });

  test('refuses what is no order', async () => {
    const client = await api.client('alice');
    for (const wrong of [
      { name: 'bob/lab' },
      { file: '' },
      { file: 'a\u001b[2J' },
      { dockerfile: 'FROM a\0' },
      { dockerfile: 'x'.repeat(262_145) },
      { args: { '-x': '1' } },
      { args: { A: 'one\nFROM two' } },
    ]) {
      await assert.rejects(client.image.build.open({ ...order, ...wrong }), { code: 'INVALID' });
    }
    assert.equal(api.images.builds.orders.length, 0);
  });
});
