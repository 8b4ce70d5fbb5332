import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { beforeEach, describe, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pack } from 'tar-stream';
import { errorFrame, FLOOD, openApi, openStream, PIECE, printed, settled } from '../../../test/api.ts';
import { containersOf } from '../../../test/platform.ts';
import { listen } from '../listeners/index.ts';

const api = await openApi();
const { images } = api.server.platform;
let alice: string;

beforeEach(async () => {
  alice = await api.token('alice');
});

const order = { name: 'lab', file: 'Dockerfile', dockerfile: 'FROM base\nCOPY f /f\nRUN cat /f' };

async function prepared(user: string): Promise<string> {
  return (await (await api.client(user)).image.build.open(order)).job;
}

/** A build for another CPU of which the compilers are played: it takes the folder, prints its command, and changes files. */
function playCross(t: TestContext): { received: Buffer } {
  const played = { received: Buffer.alloc(0) };
  type Prepare = typeof images.cross.prepare;
  t.mock.method(
    images.cross,
    'prepare',
    async function* (request: Parameters<Prepare>[0]): ReturnType<Prepare> {
      yield { type: 'progress', step: 'Unpacking the compiler' };
      return {
        ownLibrary: true,
        run: async (client) => {
          played.received = await buffer(client.input());
          const bytes = Buffer.from(request.command.join(' '));
          await client.printed(Readable.from([{ to: 'stdout' as const, bytes }]));
          client.tell({ type: 'ended', status: 3 });
          client.tell({ type: 'deleted', paths: ['old'] });
          await client.files(Readable.from([Buffer.from('tar')]));
          return { status: 3, saved: undefined };
        },
      };
    },
  );
  return played;
}

async function preparedCross(user: string): Promise<string> {
  await api.server.addImage(`${user}/board`);
  const wanted = { image: 'board', command: ['make'], folder: '/home/x', prefix: '/opt', save: false };
  for await (const event of await (await api.client(user)).image.cross.open(wanted))
    if (event.type === 'result') return event.value.job;
  throw new Error('no result');
}

describe('the stream of an image build', () => {
  test('takes the folder, and sends output and what was saved', async () => {
    await api.server.addTree('alice/base');
    await api.server.addNode('vnode1', 'alice/lab', 'physical');
    const stream = await openStream(api, `/stream/job?job=${await prepared('alice')}`, alice);
    await stream.until('ready');
    const tar = pack();
    tar.entry({ name: 'f' }, 'what was sent\n');
    tar.finalize();
    const bytes = await buffer(tar);
    stream.socket.send(bytes.subarray(0, 700));
    stream.socket.send(bytes.subarray(700));
    stream.socket.send('{"type":"end"}');
    const end = await stream.ended;
    const { digest } = await images.get('alice', 'lab');
    const saved = { image: 'alice/lab', digest, changed: true, nodes: ['vnode1'] };
    assert.deepEqual(end, { type: 'exit', status: 0, saved });
    // Of each binary message, the first byte tells what it is: 0 an event, 1 output.
    const received = stream.received();
    assert.ok(received.startsWith('\0{"type":"ready"}'), received);
    for (const text of ['STEP 1/3: FROM base\n', 'what was sent\n'])
      assert.ok(printed(stream).includes(text), text);
  });

  test('is for who opened it', async () => {
    const stream = await openStream(api, `/stream/job?job=${await prepared('bob')}`, alice);
    assert.partialDeepStrictEqual(await stream.ended, { type: 'error', code: 'NOT_FOUND' });
  });
});

describe('the stream of a build for another CPU', () => {
  test('takes the folder, and sends output, deletions, files and the exit status', async (t) => {
    const played = playCross(t);
    const stream = await openStream(api, `/stream/job?job=${await preparedCross('alice')}`, alice);
    await stream.until('ready');
    stream.socket.send(Buffer.from('half a '));
    stream.socket.send(Buffer.from('tar'));
    stream.socket.send('{"type":"end"}');
    assert.deepEqual(await stream.ended, { type: 'exit', status: 3 });
    assert.equal(played.received.toString(), 'half a tar');
    assert.equal(
      stream.received(),
      '\x00{"type":"ready"}\x01make\x00{"type":"ended","status":3}\x00{"type":"deleted","paths":["old"]}\x03tar',
    );
  });

  test('is for who opened it', async (t) => {
    playCross(t);
    const stream = await openStream(api, `/stream/job?job=${await preparedCross('bob')}`, alice);
    assert.partialDeepStrictEqual(await stream.ended, { type: 'error', code: 'NOT_FOUND' });
  });
});

test('a client that left before its folder was asked for fails the build', {
  timeout: 600_000,
}, async (t) => {
  const { promise: outcome, resolve } = Promise.withResolvers<unknown>();
  const asksLate: Awaited<ReturnType<typeof images.builds.prepare>> = async ({ signal, input }) => {
    await once(signal, 'abort');
    resolve(await buffer(input()).catch((error: unknown) => error));
    throw signal.reason;
  };
  t.mock.method(images.builds, 'prepare', async () => asksLate);
  const stream = await openStream(api, `/stream/job?job=${await prepared('alice')}`, alice);
  stream.socket.terminate();
  assert.match(String(await outcome), /the client has gone/);
});

describe('the terminal of an image shell', () => {
  const path = (id: string) => `/stream/job?job=${id}&columns=80&rows=24`;
  const session = async () => {
    await api.server.addTree('alice/exp');
    return (await (await api.client('alice')).image.shell.open({ image: 'exp' })).id;
  };
  /** No event tells it. */
  const detached = async (id: string) => {
    while ((await images.shells.get(id)).attached) await delay(20);
  };

  test('types, prints, resizes, and tells the exit status', async () => {
    const stream = await openStream(api, path(await session()), alice);
    await stream.until('# ');
    stream.socket.send(Buffer.from('stty size\r'));
    await stream.until('24 80\r');
    stream.socket.send('{"type":"resize","columns":100,"rows":30}');
    stream.socket.send(Buffer.from('until stty size | grep "30 100"; do sleep 0.1; done\r'));
    await stream.until('30 100\r');
    stream.socket.send(Buffer.from('echo last words; exit 7\r'));
    assert.deepEqual(await stream.ended, { type: 'exit', status: 7 });
    assert.match(printed(stream), /last words\r\n(?:exit\r\n)?$/);
  });

  test('is left alone by a client that goes or is killed', async () => {
    const id = await session();
    for (const leave of ['close', 'terminate'] as const) {
      const stream = await openStream(api, path(id), alice);
      stream.socket.send(Buffer.from(`echo "here: $((40 + 2))"\r`));
      await stream.until('here: 42');
      assert.equal((await images.shells.get(id)).attached, true);
      stream.socket[leave]();
      await detached(id);
    }
    assert.equal((await images.shells.get(id)).state, 'running');
    assert.deepEqual(api.journal, []);
  });

  test('is left by a client that is killed while the shell takes no input', async () => {
    const id = await session();
    const socket = `${api.folder}/second.sock`;
    const second = await listen(api.services, { socket }, { heartbeat: 50 });
    const stream = await openStream({ socket }, path(id), alice);
    await stream.until('# ');
    // A raw terminal holds back who types when nobody reads; another one throws away.
    stream.socket.send(Buffer.from('stty raw -echo; echo "deaf: $((40 + 2))"; sleep 100000\r'));
    await stream.until('deaf: 42');
    for (let sent = 0; sent < FLOOD; sent += PIECE) stream.socket.send(Buffer.alloc(PIECE));
    const waiting = await settled(() => stream.socket.bufferedAmount);
    assert.ok(waiting > FLOOD / 2, `${FLOOD - waiting} bytes were taken from the client`);
    stream.socket.terminate();
    await detached(id);
    await second.close();
  });

  test('is for who opened the session', async () => {
    const stream = await openStream(api, path(await session()), await api.token('bob'));
    errorFrame('FORBIDDEN', /opened by alice/)(await stream.ended);
    const none = await openStream(api, path('0000000000000009'), alice);
    errorFrame('NOT_FOUND', /no shell session/)(await none.ended);
  });
});

describe('a command in an image', () => {
  const open = async (command: string[], wanted: { saveAs?: string } = {}) => {
    await api.server.addTree('alice/exp');
    const { image } = await api.client('alice');
    const { job } = await image.run.open({ image: 'exp', command, ...wanted });
    return await openStream(api, `/stream/job?job=${job}`, alice);
  };

  test('reads, prints, and tells what was saved and what not', async () => {
    const { container } = api.server.platform.deps.config.limits;
    const { memory } = container;
    container.memory = 64 * 1024 ** 2;
    try {
      const line =
        'cat; echo x >/etc/new; echo x >>/etc/hosts; dd if=/dev/zero of=/dev/null bs=200M count=1; exit 0';
      const stream = await open(['/bin/sh', '-c', line], { saveAs: 'exp' });
      await stream.until('ready');
      stream.socket.send(Buffer.from('words'));
      await stream.until('\x01words');
      stream.socket.send('{"type":"end"}');
      const end = (await stream.ended) as { note: string };
      assert.partialDeepStrictEqual(end, {
        ...{ type: 'exit', status: 0 },
        ...{ saved: { image: 'alice/exp', changed: true }, lost: [{ path: '/etc/hosts' }] },
      });
      assert.match(end.note, /64 MiB of memory, which is the limit/);
    } finally {
      container.memory = memory;
    }
  });

  test('that reads no more does not hold up who sends', { timeout: 600_000 }, async (t) => {
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    stdin.destroy();
    stderr.end();
    const ended = Promise.withResolvers<void>();
    t.mock.method(images, 'run', async () => ({
      ...{ stdin, stdout, stderr, exited: Promise.resolve(0), note: () => undefined },
      ...{ save: async () => assert.fail('nothing is saved'), end: async () => ended.resolve() },
    }));
    const stream = await open(['cat']);
    await stream.until('ready');
    for (let sent = 0; sent < FLOOD; sent += PIECE) stream.socket.send(Buffer.alloc(PIECE));
    await new Promise<void>((resolve) => stream.socket.send('{"type":"end"}', () => resolve()));
    stdout.end();
    assert.partialDeepStrictEqual(await stream.ended, { type: 'exit', status: 0 });
    await ended.promise;
  });

  test('ends when its client leaves', async () => {
    const containers = await containersOf(api.server.platform);
    const before = [...(await containers.list()).keys()];
    const stream = await open(['/bin/sh', '-c', 'echo runs; sleep 100000']);
    await stream.until('runs');
    assert.notDeepEqual([...(await containers.list()).keys()], before);
    stream.socket.terminate();
    while ((await containers.list()).size > before.length) await delay(20);
  });
});

describe('the opening of an image build', () => {
  test('asks before it replaces what no build made', async () => {
    const lab = await api.server.addImage('alice/lab');
    const client = await api.client('alice');
    await assert.rejects(client.image.build.open(order), { code: 'CONFIRM' });
    await client.image.build.open({ ...order, yes: true });
    const built = { ...lab, digest: `sha256:${'b'.repeat(64)}` };
    await api.server.catalogue.point(lab, built, 'any', { user: 'alice', action: 'build' });
    await client.image.build.open(order);
  });

  test('refuses what is no order', async (t) => {
    const orders = t.mock.method(images.builds, 'prepare');
    const client = await api.client('alice');
    for (const wrong of [
      { name: 'bob/lab' },
      { file: '' },
      { file: 'a\u001b[2J' },
      { dockerfile: 'FROM a\0' },
      { dockerfile: 'x'.repeat(262_145) },
    ]) {
      await assert.rejects(client.image.build.open({ ...order, ...wrong }), { code: 'INVALID' });
    }
    for (const [name, value, message] of [
      ['-x', '1', '--build-arg "-x" must be letters, digits and underscores, not beginning with a digit.'],
      ['A', 'one\nFROM two', '--build-arg "one\\nFROM two" must be one line.'],
    ] as const) {
      const wrong = { ...order, args: { [name]: value } };
      await assert.rejects(client.image.build.open(wrong), { code: 'INVALID', message });
    }
    assert.equal(orders.mock.callCount(), 0);
  });
});
