import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
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

describe('a command in an image', () => {
  const command = (act: (run: { stdin: PassThrough; stdout: PassThrough }) => void) => {
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    api.images.run = async (_user, image) => {
      act({ stdin, stdout });
      const save = async () => ({ image, changed: true, lost: [{ path: '/x', why: 'it is lent' }] });
      const note = () => 'It was short of memory.';
      stderr.end();
      return { stdin, stdout, stderr, exited: Promise.resolve(0), note, save, end: async () => resolve() };
    };
    return ended;
  };
  const open = async (wanted: { saveAs?: string } = {}) => {
    api.images.add('alice', 'exp');
    const { image } = await api.client('alice');
    const { job } = await image.run.open({ image: 'exp', command: ['cat'], ...wanted });
    return await openStream(api, `/stream/job?job=${job}`, alice);
  };

  test('reads, prints, and tells what was saved and what not', async () => {
    const ended = command(({ stdin, stdout }) => stdin.pipe(stdout));
    const stream = await open({ saveAs: 'exp' });
    await stream.until('ready');
    stream.socket.send(Buffer.from('words'));
    await stream.until('\x01words');
    stream.socket.send('{"type":"end"}');
    assert.partialDeepStrictEqual(await stream.ended, {
      ...{ type: 'exit', status: 0, note: 'It was short of memory.' },
      ...{ saved: { image: 'alice/exp', changed: true }, lost: [{ path: '/x' }] },
    });
    await ended;
  });

  test('that reads no more does not hold up who sends', { timeout: 60_000 }, async () => {
    const { promise: printed, resolve } = Promise.withResolvers<PassThrough>();
    command(({ stdin, stdout }) => {
      stdin.destroy();
      resolve(stdout);
    });
    const stream = await open();
    await stream.until('ready');
    for (let sent = 0; sent < FLOOD; sent += PIECE) stream.socket.send(Buffer.alloc(PIECE));
    await new Promise<void>((resolve) => stream.socket.send('{"type":"end"}', () => resolve()));
    (await printed).end();
    assert.partialDeepStrictEqual(await stream.ended, { type: 'exit', status: 0 });
  });

  test('ends when its client leaves', async () => {
    const ended = command(() => {});
    const stream = await open();
    await stream.until('ready');
    stream.socket.terminate();
    await ended;
  });
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
