import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { afterEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { openFilesLimit } from '../open-files.ts';
import { run } from '../programs/index.ts';
import { HttpListener } from './http-listener.ts';
import { sendStream } from './send-stream.ts';

/** Nobody is slow before a test is over. */
const limits = { all: 20, each: 5, headSeconds: 600, bodySeconds: 600, idleSeconds: 600 };
const journal: string[] = [];
const write = (message: string) => void journal.push(message);
const log = { info: write, warn: write, error: write };

const open: { listener: HttpListener; sockets: Socket[] }[] = [];
afterEach(async () => {
  journal.length = 0;
  for (const { listener, sockets } of open.splice(0)) {
    for (const socket of sockets) socket.destroy();
    await listener.close();
  }
});

type Options = Partial<ConstructorParameters<typeof HttpListener>[0]>;

async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
  options: Options = {},
) {
  const listener = new HttpListener({
    ...{ name: 'test', log, limits, maxHead: 2048, answer },
    refusal: (reason) => ({ status: 503, type: 'application/json', text: `refused: ${reason}` }),
    failed: (error, response) => void response.writeHead(500).end(String(error)),
    ...options,
  });
  const port = await listener.listen({ host: '127.0.0.1', port: 0 });
  const sockets: Socket[] = [];
  open.push({ listener, sockets });
  /** A connection on which `text` was sent, and all that came back until its end. */
  const talk = (text: string, from = '127.0.0.1') => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from });
    sockets.push(socket);
    let answered = '';
    socket.on('data', (chunk) => {
      answered += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    const ended = new Promise<string>((resolve) => socket.once('close', () => resolve(answered)));
    socket.write(text);
    return { socket, ended };
  };
  return { talk, port, listener };
}

const hello = async (_request: IncomingMessage, response: ServerResponse) => void response.end('hello');
const GET = 'GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';

/** Seconds that something takes. */
async function seconds(work: Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work;
  return (performance.now() - start) / 1000;
}

describe('connections', () => {
  test('are probed by the kernel: a machine without power hangs up, though it waits for an answer', async () => {
    const { talk, port } = await serve(async () => {});
    const { socket } = talk(GET);
    await once(socket, 'connect');
    for (;;) {
      const seen = await run(['ss', '--tcp', '--numeric', '--options', '--no-header', `sport = :${port}`]);
      // The accepted one has a timer at once, or a moment later.
      if (/timer:\(keepalive,[\d.]+(?:sec|ms),0\)/.test(seen)) break;
      await delay(10);
    }
  });

  test('are bounded for each address, in words, and freed when they end', async () => {
    const { talk } = await serve(hello);
    const held = Array.from({ length: limits.each }, () => talk('GET / HT'));
    await Promise.all(held.map(({ socket }) => once(socket, 'connect')));
    assert.match(await talk(GET).ended, /^HTTP\/1.1 503 .*\r\n\r\nrefused: each$/s);
    assert.match(await talk(GET, '127.0.0.2').ended, /200 OK.*hello$/s);
    for (const { socket, ended } of held) {
      socket.destroy();
      await ended;
    }
    assert.match(await talk(GET).ended, /200 OK/);
    assert.deepEqual(journal, ['test: too many connections']);
  });

  test('are bounded by their share of the files that the process may have open', async () => {
    const { promise: served, resolve: serves } = Promise.withResolvers<void>();
    const { talk } = await serve(async () => serves(), { share: 1 / openFilesLimit() });
    talk(GET);
    await served;
    assert.match(await talk(GET, '127.0.0.2').ended, /503.*refused: all$/s);
  });

  test('that ask for nothing make room for new ones', async () => {
    const { talk } = await serve(hello);
    const held: ReturnType<typeof talk>[] = [];
    for (let at = 0; at < limits.all; at += 1) {
      const one = talk('', `127.0.1.${1 + Math.floor(at / limits.each)}`);
      await once(one.socket, 'connect');
      held.push(one);
    }
    assert.match(await talk(GET, '127.0.2.1').ended, /200 OK.*hello$/s);
    assert.equal(await held[0]?.ended, '', 'the oldest was ended');
    assert.ok(held.at(-1)?.socket.writable, 'the newest was not');
  });

  test('that are served keep their places', async () => {
    const [served, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let count = 0;
    const { talk } = await serve(async (_request, response) => {
      count += 1;
      if (count === limits.all) served.resolve();
      await release.promise;
      response.end('served');
    });
    const busy = Array.from({ length: limits.all }, (_, at) =>
      talk(GET, `127.0.1.${1 + Math.floor(at / limits.each)}`),
    );
    await served.promise;
    assert.match(await talk(GET, '127.0.2.1').ended, /503.*refused: all$/s);
    release.resolve();
    for (const { ended } of busy) assert.match(await ended, /served$/);
  });

  test('of strangers give way though they have asked, unless somebody vouches for who asks', async () => {
    let asked = Promise.withResolvers<void>();
    const { talk, listener } = await serve(
      async (request, response) => {
        if (request.url === '/') return void response.end('hello');
        if (request.url === '/known') listener.keep(request);
        asked.resolve();
      },
      { strangers: true, limits: { ...limits, all: 2 } },
    );
    const held = async (path: string) => {
      asked = Promise.withResolvers<void>();
      const one = talk(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
      await asked.promise;
      return one;
    };
    const known = await held('/known');
    const stranger = await held('/stranger');
    assert.match(await talk(GET).ended, /200 OK.*hello$/s);
    assert.equal(await stranger.ended, '');
    await held('/known');
    assert.match(await talk(GET).ended, /503.*refused: all$/s);
    assert.ok(known.socket.writable);
  });
});

describe('who is slow', () => {
  const slow = { limits: { ...limits, headSeconds: 1, bodySeconds: 2, idleSeconds: 1 } };

  test('with the head of a request is turned away, whatever he drips', async () => {
    const { talk } = await serve(hello, slow);
    const { socket, ended } = talk('GET / HTTP/1.1\r\n');
    const drip = setInterval(() => socket.write('x: y\r\n'), 100);
    const took = await seconds(ended);
    clearInterval(drip);
    // What comes still may reset the connection before the refusal is read.
    assert.match(await ended, /^(HTTP\/1.1 408 .*)?$/s);
    assert.ok(took > 0.5, String(took));
  });

  test('or says nothing at all, too', async () => {
    const { talk } = await serve(hello, slow);
    const took = await seconds(talk('').ended);
    assert.ok(took > 0.5, String(took));
  });

  const body = async (request: IncomingMessage, response: ServerResponse) => {
    let bytes = 0;
    for await (const chunk of request) bytes += chunk.length;
    response.end(`${bytes} bytes`);
  };
  const POST = 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n';

  test('with a body is told so', async () => {
    const { talk } = await serve(body, slow);
    assert.match(await talk(POST).ended, /^HTTP\/1.1 503 .*refused: slow$/s);
  });

  test('with a body has an end, though a byte comes now and then', async () => {
    const { talk } = await serve(body, { limits: { ...limits, bodySeconds: 2 } });
    const { socket, ended } = talk(POST);
    const drip = setInterval(() => socket.write('x'), 200);
    const took = await seconds(ended);
    clearInterval(drip);
    assert.match(await ended, /refused: slow$/);
    assert.ok(took > 1.5, String(took));
  });

  test('with a body that is streamed may be, as long as it goes on; and we may be slow, too', async () => {
    // Each piece comes long before the one is taken for idle, all of them long after a body that is read as a whole must be there.
    const times = { bodySeconds: 1, idleSeconds: 4 };
    const { talk } = await serve(
      async (request, response) => {
        await delay(1000 * (times.idleSeconds + 1.5));
        await body(request, response);
      },
      { streamed: () => true, limits: { ...limits, ...times } },
    );
    const { socket, ended } = talk(POST.replace('host: x', 'host: x\r\nconnection: close'));
    for (let at = 0; at < 100; at += 2) {
      await delay(50);
      socket.write('xx');
    }
    assert.match(await ended, /100 bytes$/);
  });

  test('in taking an answer is cut off, and what sends it ends', async () => {
    const ended = Promise.withResolvers<void>();
    const endless = new Readable({
      read() {
        this.push(Buffer.alloc(65_536));
      },
      destroy(error, done) {
        ended.resolve();
        done(error);
      },
    });
    const { talk } = await serve((_request, response) => sendStream(response, endless), {
      ...slow,
      cutsReaders: true,
    });
    const { socket } = talk(GET);
    socket.pause();
    await ended.promise;
    assert.deepEqual(journal, []);
  });
});

describe('what fails', () => {
  test('in an answer is told, or breaks it off', async () => {
    const { talk } = await serve(async (request, response) => {
      if (request.url === '/late') response.writeHead(200).write('begun');
      throw new Error('broken');
    });
    assert.match(await talk(GET).ended, /500 .*Error: broken/s);
    assert.match(await talk(GET.replace('/', '/late')).ended, /begun\r\n$/);
  });

  test('at once, in a refusal, or in an upgrade ends the connection alone', async () => {
    const { talk } = await serve(hello, {
      answer: () => {
        throw new Error('not even a promise');
      },
      upgrade: () => {
        throw new Error('no upgrade');
      },
    });
    const upgrade = 'GET // HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n';
    assert.equal(await talk(upgrade).ended, '');
    assert.equal(await talk(GET).ended, '');
    assert.deepEqual(journal, ['test: a connection failed'], 'told once in a while');
  });

  test('is an upgrade with a body, whose client leaves while it is answered', async () => {
    const { talk } = await serve(hello, {
      upgrade: (_request, socket) => {
        const answer = setInterval(() => socket.write('x'.repeat(1000)), 1);
        socket.on('close', () => clearInterval(answer));
      },
    });
    const ask = 'GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n';
    for (const more of ['content-length: 500', 'transfer-encoding: chunked', 'x: y']) {
      const { socket, ended } = talk(`${ask}${more}\r\n\r\nabc`);
      await Promise.race([once(socket, 'data'), delay(100)]);
      socket.resetAndDestroy();
      await ended;
      await delay(20); // until the server has written to nobody
    }
    assert.match(await talk(GET).ended, /200 OK/);
  });

  test('is too long a head, no HTTP, or more requests than are answered', async () => {
    const { talk } = await serve(async (_request, response) => {
      await delay(50);
      response.end();
    });
    assert.match(await talk(`GET / HTTP/1.1\r\nx: ${'y'.repeat(5000)}\r\n\r\n`).ended, /^HTTP\/1.1 431 /);
    assert.match(await talk('\x16\x03\x01junk').ended, /^HTTP\/1.1 400 /);
    assert.equal(await talk(GET.replace('close', 'keep-alive').repeat(100)).ended, '');
    assert.match(await talk(GET).ended, /200 OK/);
  });
});
