import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { openStream, startApi, type TestApi } from '../../../test/api.ts';
import { OutputChannels } from './stream-cross.ts';

let api: TestApi;
let alice: string;

beforeEach(async () => {
  api = await startApi();
  alice = await api.token('alice');
});
afterEach(() => api[Symbol.asyncDispose]());

async function prepared(user: string): Promise<string> {
  const image = api.images.add(user, 'board');
  const request = { user, image, command: ['make'], folder: '/home/x', prefix: '/opt', save: undefined };
  const call = api.images.cross.prepare(request);
  for (;;) {
    const next = await call.next();
    if (next.done) return next.value.ticket;
  }
}

describe('the stream of a build', () => {
  test('takes the folder, and sends output, deletions, files and the exit status', async () => {
    const stream = await openStream(api, `/stream/image-cross?ticket=${await prepared('alice')}`, alice);
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

  test("refuses another user's ticket", async () => {
    const stream = await openStream(api, `/stream/image-cross?ticket=${await prepared('bob')}`, alice);
    assert.partialDeepStrictEqual(await stream.ended, { type: 'error', code: 'NOT_FOUND' });
  });
});

test("podman's frames become messages of two channels, however they are cut", async () => {
  const frame = (type: number, text: string) => [type, 0, 0, 0, 0, 0, 0, text.length, ...Buffer.from(text)];
  const bytes = Buffer.from([...frame(1, 'out'), ...frame(2, 'err'), ...frame(1, ''), ...frame(1, 'more')]);
  for (const size of [1, 5, bytes.length]) {
    const channels = new OutputChannels();
    const messages: string[] = [];
    channels.on('data', (message: Buffer) => messages.push(message.toString()));
    for (let at = 0; at < bytes.length; at += size) channels.write(bytes.subarray(at, at + size));
    await new Promise<void>((resolve) => channels.end(resolve));
    assert.deepEqual(messages, ['\x01out', '\x02err', '\x01more']);
  }
});
