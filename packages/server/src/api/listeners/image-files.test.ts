import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { send, startApi, type TestApi } from '../../../test/api.ts';
import { bodyOf } from './image-files.ts';

let api: TestApi;

beforeEach(async () => {
  api = await startApi();
});
afterEach(() => api[Symbol.asyncDispose]());

describe('files of an image', () => {
  const url = (path: string, image = 'exp') => `/image-files?${new URLSearchParams({ image, path })}`;
  const call = async (method: string, path: string, user: string, body?: Buffer | Readable) => {
    const headers = { authorization: `Bearer ${await api.token(user)}` };
    const answer = await send(api.socket, path, { method, headers, ...(body && { body }) });
    return { status: answer.statusCode, text: await text(answer) };
  };
  beforeEach(() => {
    api.images.add('alice', 'exp');
  });

  test('come out as a tar, for everybody', async () => {
    assert.deepEqual(await call('GET', url('/etc', 'alice/exp'), 'bob'), {
      status: 200,
      text: 'tar of /etc',
    });
  });

  test('are there or not', async () => {
    const kind = async (path: string) =>
      (await call('GET', `${url(path, 'alice/exp')}&only=kind`, 'bob')).text;
    assert.deepEqual(JSON.parse(await kind('/etc')), { kind: 'folder' });
    assert.deepEqual(JSON.parse(await kind('/missing')), { kind: null });
  });

  test('go in as a tar, from the owner, and the answer tells the new digest', async () => {
    api.nodes.booting = new Map([['alice/exp', ['vnode1']]]);
    const tar = Buffer.alloc(3 * 1024 * 1024, 'tar');
    const { status, text: answer } = await call('PUT', url('/root'), 'alice', Readable.from([tar, tar]));
    assert.equal(status, 200, answer);
    assert.deepEqual(JSON.parse(answer), {
      image: 'alice/exp',
      digest: api.images.records[0]?.digest,
      nodes: ['vnode1'],
    });
    assert.equal(api.images.written.get('alice/exp/root')?.length, 2 * tar.length);
  });

  test('refusals say why, in the form of all errors, even to who is still sending', async () => {
    const endless = () => Readable.from(Array.from({ length: 256 }, () => Buffer.alloc(65_536)));
    const cases: [string, string, string, number, RegExp][] = [
      ['PUT', url('/root', 'alice/exp'), 'bob', 403, /"FORBIDDEN".*belongs to alice.*"hint"/],
      ['PUT', url('root'), 'alice', 422, /"INVALID".*The path \\"root\\" must be an absolute path/],
      ['GET', url('/a\0b'), 'alice', 422, /null byte/],
      ['GET', `${url('/root', 'none')}&only=kind`, 'alice', 404, /"NOT_FOUND".*alice\/none/],
      ['GET', `${url('/root')}&only=size`, 'alice', 422, /"INVALID"/],
      ['PUT', url('/root', 'none'), 'alice', 404, /"NOT_FOUND".*alice\/none/],
      ['GET', url('/missing'), 'alice', 404, /"NOT_FOUND".*\/missing/],
      ['POST', url('/root'), 'alice', 422, /"INVALID".*POST/],
    ];
    for (const [method, path, user, status, pattern] of cases) {
      const answer = await call(method, path, user, method === 'GET' ? undefined : endless());
      assert.equal(answer.status, status);
      assert.match(answer.text, pattern);
    }
    api.images.failWrites = true;
    const full = await call('PUT', url('/root'), 'alice', endless());
    assert.equal(full.status, 503);
    assert.match(full.text, /The disk is full/);
  });

  test('a client that breaks off while sending fails the write', async () => {
    const { promise: outcome, resolve } = Promise.withResolvers<unknown>();
    const write = api.images.writeFiles.bind(api.images);
    api.images.writeFiles = async (...args) => {
      try {
        return await write(...args);
      } catch (error) {
        resolve(error);
        throw error;
      }
    };
    const token = await api.token('alice');
    const outgoing = request({
      socketPath: api.socket,
      path: url('/root'),
      method: 'PUT',
      headers: { authorization: `Bearer ${token}` },
    });
    outgoing.on('error', () => {});
    outgoing.write(Buffer.alloc(65_536), () => outgoing.destroy());
    assert.ok((await outcome) instanceof Error);
    assert.equal(api.images.written.size, 0);
  });
});

test('the body of a client that has left already fails, too: nobody may wait for it', {
  timeout: 60_000,
}, async () => {
  const { promise: outcome, resolve } = Promise.withResolvers<unknown>();
  await using server = createServer((incoming) => {
    incoming.on('error', () => {});
    incoming.once('close', () => resolve(text(bodyOf(incoming)).catch((error: unknown) => error)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const outgoing = request({
    port: (server.address() as AddressInfo).port,
    host: '127.0.0.1',
    method: 'PUT',
  });
  outgoing.on('error', () => {});
  outgoing.write('half', () => outgoing.destroy());
  assert.ok((await outcome) instanceof Error);
});
