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
  return (await (await api.client(user)).image.build.prepare(order)).ticket;
}

describe('the stream of an image build', () => {
  test('takes the folder, and sends output and what was saved', async () => {
    api.nodes.booting.set('alice/lab', ['vnode1']);
    const stream = await openStream(api, `/stream/image-build?ticket=${await prepared('alice')}`, alice);
    await stream.until('ready');
    stream.socket.send(Buffer.from('half a '));
    stream.socket.send(Buffer.from('tar'));
    stream.socket.send('{"type":"end"}');
    assert.deepEqual(await stream.ended, { type: 'exit', status: 0 });
    assert.equal(api.images.builds.received?.toString(), 'half a tar');
    const { digest } = await api.images.get('alice', 'lab');
    const saved = { type: 'saved', image: 'alice/lab', digest, changed: true, nodes: ['vnode1'] };
    assert.equal(stream.received(), `\0{"type":"ready"}\x01FROM base\0${JSON.stringify(saved)}`);
  });

  test("refuses another user's ticket", async () => {
    const stream = await openStream(api, `/stream/image-build?ticket=${await prepared('bob')}`, alice);
    assert.partialDeepStrictEqual(await stream.ended, { type: 'error', code: 'NOT_FOUND' });
  });
});

test('a client that left before its folder was asked for fails the build', { timeout: 60_000 }, async () => {
  const { promise: outcome, resolve } = Promise.withResolvers<unknown>();
  api.images.builds.run = async (_user, _ticket, { signal, sources }) => {
    await once(signal, 'abort');
    resolve(await buffer(sources()).catch((error: unknown) => error));
  };
  const stream = await openStream(api, `/stream/image-build?ticket=${await prepared('alice')}`, alice);
  stream.socket.terminate();
  assert.match(String(await outcome), /the client has gone/);
});

describe('the preparation of an image build', () => {
  test('asks before it replaces what no build made', async () => {
    api.images.add('alice', 'lab');
    const client = await api.client('alice');
    await assert.rejects(client.image.build.prepare(order), { code: 'CONFIRM' });
    await client.image.build.prepare({ ...order, yes: true });
    api.images.history.action = 'build';
    await client.image.build.prepare(order);
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
      await assert.rejects(client.image.build.prepare({ ...order, ...wrong }), { code: 'INVALID' });
    }
    assert.equal(api.images.builds.orders.size, 0);
  });
});
