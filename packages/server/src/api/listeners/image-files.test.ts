import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { beforeEach, describe, test } from 'node:test';
import { pack } from 'tar-stream';
import { openApi, send } from '../../../test/api.ts';
import { run, UserError } from '../../platform/index.ts';
import { bodyOf } from './image-files.ts';

const api = await openApi();
const { images } = api.server.platform;

describe('files of an image', () => {
  const url = (path: string, image = 'exp') => `/image-files?${new URLSearchParams({ image, path })}`;
  const call = async (method: string, path: string, user: string, body?: Buffer | Readable) => {
    const headers = { authorization: `Bearer ${await api.token(user)}` };
    const answer = await send(api.socket, path, { method, headers, ...(body && { body }) });
    return { status: answer.statusCode, text: await text(answer) };
  };
  beforeEach(async () => {
    await api.server.addTree('alice/exp', { 'etc/motd': 'hello', 'root/': '' });
  });

  test('come out as a tar, for everybody', async () => {
    const { status, text: tar } = await call('GET', url('/etc', 'alice/exp'), 'bob');
    assert.equal(status, 200);
    assert.equal(
      await run(['tar', '--extract', '--to-stdout', 'etc/motd'], { input: Buffer.from(tar) }),
      'hello',
    );
  });

  test('are there or not', async () => {
    const kind = async (path: string) =>
      (await call('GET', `${url(path, 'alice/exp')}&only=kind`, 'bob')).text;
    assert.deepEqual(JSON.parse(await kind('/etc')), { kind: 'folder' });
    assert.deepEqual(JSON.parse(await kind('/missing')), { kind: null });
  });

  test('go in as a tar, from the owner, and the answer tells the new digest', async () => {
    await api.server.addNode('vnode1', 'alice/exp');
    const before = await images.get('alice', 'exp');
    const content = 'tar'.repeat(2 * 1024 * 1024);
    const sent = pack();
    sent.entry({ name: 'large' }, content);
    sent.finalize();
    const { status, text: answer } = await call('PUT', url('/root'), 'alice', Readable.from(sent));
    assert.equal(status, 200, answer);
    const { digest } = await images.get('alice', 'exp');
    assert.notEqual(digest, before.digest);
    assert.deepEqual(JSON.parse(answer), { image: 'alice/exp', digest, nodes: ['vnode1'] });
    const { text: tar } = await call('GET', url('/root/large'), 'alice');
    assert.equal(await run(['tar', '--extract', '--to-stdout'], { input: Buffer.from(tar) }), content);
  });

  test('refusals say why, in the form of all errors, even to who is still sending', async (t) => {
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
    t.mock.method(images, 'writeFiles', async (...[, , , tar]: Parameters<typeof images.writeFiles>) => {
      tar.destroy();
      throw new UserError('UNAVAILABLE', 'The disk is full.', 'Remove something.');
    });
    const full = await call('PUT', url('/root'), 'alice', endless());
    assert.equal(full.status, 503);
    assert.match(full.text, /The disk is full/);
  });

  test('a client that breaks off while sending fails the write', async (t) => {
    const { promise: outcome, resolve } = Promise.withResolvers<unknown>();
    const before = await images.get('alice', 'exp');
    const write = images.writeFiles.bind(images);
    t.mock.method(images, 'writeFiles', async (...args: Parameters<typeof write>) => {
      try {
        return await write(...args);
      } catch (error) {
        resolve(error);
        throw error;
      }
    });
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
    assert.deepEqual(await images.get('alice', 'exp'), before);
  });
});

for (const sent of ['half', 'as a whole']) {
  test(`the body of a client that has left already fails, which came ${sent}: nobody may wait for it`, {
    timeout: 600_000,
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
      headers: { 'content-length': sent === 'half' ? 8 : 4 },
    });
    outgoing.on('error', () => {});
    outgoing.write('body', () => outgoing.destroy());
    assert.ok((await outcome) instanceof Error);
  });
}
