import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createSocket, type RemoteInfo } from 'node:dgram';
import { on, once } from 'node:events';
import { mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { downloadOf, openDownload } from '../boot-files.ts';
import { type TftpQuestion, TftpServer } from './tftp.ts';

const LOCAL = '127.0.0.1';
const [DATA, ERROR, OACK] = [3, 5, 6];

type Answer = ConstructorParameters<typeof TftpServer>[0];
type Retry = ConstructorParameters<typeof TftpServer>[1];

/** No test waits for it: what comes in one that has it was not sent again. */
const never: Retry = { wait: 600_000 };

/** Bytes of which no two blocks are alike. */
function content(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32BE(at, at);
  return bytes;
}

async function withServer(answer: Answer, retry: Retry, use: (port: number) => Promise<void>): Promise<void> {
  const server = new TftpServer(answer, retry);
  const port = await server.listen(LOCAL, 0);
  try {
    await use(port);
  } finally {
    await server.close();
  }
}

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, 2 * index);
  return bytes;
}

function request(path: string | Buffer, { opcode = 1, mode = 'octet', options = {} } = {}): Buffer {
  const fields = [mode, ...Object.entries(options).flat()].map((field) => `${field}\0`).join('');
  return Buffer.concat([words(opcode), Buffer.from(path), Buffer.from(`\0${fields}`)]);
}

interface Packet {
  opcode: number;
  /** Block number or error code. */
  number: number;
  body: Buffer;
  port: number;
}

/** Sends and gets packets one by one, so that each test says what is lost. */
class Client {
  readonly #socket = createSocket('udp4');
  readonly #packets = on(this.#socket, 'message', { signal: AbortSignal.timeout(120_000) });
  /** How many DATA packets came. */
  blocks = 0;

  static async use(talk: (client: Client) => Promise<void>): Promise<void> {
    const client = new Client();
    client.#socket.bind(0, LOCAL);
    await once(client.#socket, 'listening');
    try {
      await talk(client);
    } finally {
      client.#socket.close();
    }
  }

  /** Resolves when it has left. */
  send(packet: Uint8Array, port: number): Promise<void> {
    return new Promise((resolve) => this.#socket.send(packet, port, LOCAL, () => resolve()));
  }

  acknowledge(block: number, port: number): void {
    this.send(words(4, block & 0xffff), port);
  }

  async next(): Promise<Packet> {
    const { value = [] } = await this.#packets.next();
    const packet: Buffer = value[0];
    const { port }: RemoteInfo = value[1];
    const [opcode, number] = [packet.readUInt16BE(0), packet.readUInt16BE(2)];
    if (opcode === DATA) this.blocks++;
    return { opcode, number, body: packet.subarray(opcode === OACK ? 2 : 4), port };
  }

  /** The next one that is not this one again. */
  async nextBut(known: Packet): Promise<Packet> {
    for (;;) {
      const packet = await this.next();
      if (packet.opcode !== known.opcode || packet.number !== known.number) return packet;
    }
  }

  /** Asks, and goes on to the end as RFC 7440 has it. `copies`: of each acknowledgement. */
  async load(
    path: string,
    port: number,
    { options = {}, size = 512, window = 1, copies = 1 } = {},
  ): Promise<Buffer> {
    this.send(request(path, { options }), port);
    const parts: Buffer[] = [];
    for (;;) {
      const { opcode, number, body, port: from } = await this.next();
      if (opcode === ERROR) throw new Error(`${number} ${body.subarray(0, -1)}`);
      if (opcode === DATA) {
        assert.equal(number, (parts.length + 1) & 0xffff);
        parts.push(body);
      }
      const last = opcode === DATA && body.length < size;
      if (last || parts.length % window === 0) {
        for (let copy = 0; copy < copies; copy++) this.acknowledge(parts.length, from);
      }
      if (last) return Buffer.concat(parts);
    }
  }
}

function withClient(
  answer: Answer,
  retry: Retry,
  talk: (client: Client, port: number) => Promise<void>,
): Promise<void> {
  return withServer(answer, retry, (port) => Client.use((client) => talk(client, port)));
}

/** Gives every path as a file of so many bytes. */
const sized: Answer = async ({ path }) =>
  /^\d+$/.test(path) ? downloadOf(content(Number(path))) : undefined;

/** A file that tells when it is closed. */
function watched(size: number) {
  const closed = Promise.withResolvers<string>();
  let read = false;
  const content = new Readable({
    read() {
      read = true;
      this.push(Buffer.alloc(1024));
    },
    destroy(error, done) {
      closed.resolve(read ? 'destroyed' : 'discarded');
      done(error);
    },
  });
  return { download: { size, content }, closed: closed.promise };
}

const limit = { timeout: 600_000 };

test(
  'a client that takes the first block of a real file and refuses the rest leaves nothing open',
  limit,
  async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'walt-tftp-')), 'file');
    await writeFile(file, content(1 << 20));
    const open = async () => {
      const fds = await readdir('/proc/self/fd');
      const links = await Promise.all(fds.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
      return links.filter((link) => link === file).length;
    };
    try {
      await withServer(
        async () => openDownload(file),
        never,
        async (port) => {
          for (let round = 0; round < 50; round += 1) {
            await Client.use(async (client) => {
              client.send(request('any', round % 2 ? {} : { options: { tsize: 0 } }), port);
              const { port: from } = await client.next();
              client.send(words(ERROR, 0, 0), from);
              for (let tries = 0; (await open()) > 0; tries += 1) {
                assert.ok(tries < 3000, `${await open()} files are open`);
                await delay(20);
              }
            });
          }
        },
      );
    } finally {
      await rm(dirname(file), { recursive: true });
    }
  },
);

describe('a file', limit, () => {
  for (const size of [0, 1, 511, 512, 513, 1 << 20]) {
    test(`of ${size} bytes`, () =>
      withClient(sized, never, async (client, port) => {
        assert.deepEqual(await client.load(`${size}`, port), content(size));
        assert.equal(client.blocks, Math.floor(size / 512) + 1);
        const options = { blksize: 1024, windowsize: 4 };
        const loaded = await client.load(`${size}`, port, { options, size: 1024, window: 4 });
        assert.deepEqual(loaded, content(size));
      }));
  }

  test('is given to curl', () =>
    withServer(sized, never, async (port) => {
      const cases: [size: number, ...options: string[]][] = [
        [0, '--tftp-no-options'], // it refuses that a size is 0
        [1024],
        [1 << 20, '--tftp-blksize', '1468'],
        [1 << 20, '--tftp-blksize', '65464'],
      ];
      for (const [size, ...options] of cases) {
        const { stdout } = await promisify(execFile)(
          'curl',
          ['-sS', ...options, `tftp://${LOCAL}:${port}/${size}`],
          { encoding: 'buffer', maxBuffer: 1 << 21 },
        );
        assert.deepEqual(stdout, content(size));
      }
    }));

  test('may have more blocks than block numbers', () =>
    withClient(sized, never, async (client, port) => {
      const size = 8 * 65_600 + 3;
      const options = { blksize: 8, windowsize: 64 };
      assert.deepEqual(await client.load(`${size}`, port, { options, size: 8, window: 64 }), content(size));
    }));

  test('comes to two clients at once, each of which the answer knows', async () => {
    const questions: TftpQuestion[] = [];
    const answer: Answer = (question) => {
      questions.push(question);
      return sized(question);
    };
    await withServer(answer, never, (port) =>
      Client.use((one) =>
        Client.use(async (other) => {
          const loaded = await Promise.all([one.load('70000', port), other.load('80000', port)]);
          assert.deepEqual(loaded, [content(70_000), content(80_000)]);
          assert.deepEqual(questions, [
            { ip: LOCAL, path: '70000' },
            { ip: LOCAL, path: '80000' },
          ]);
        }),
      ),
    );
  });
});

describe('options', limit, () => {
  const cases: [asked: Record<string, string | number>, granted: string][] = [
    [{ tsize: 0 }, 'tsize 1000'],
    [{ BLKSIZE: 1468, unknown: 1, tSize: 0 }, 'blksize 1468 tsize 1000'],
    [{ blksize: 65_465, timeout: 30 }, 'blksize 65464 timeout 30'],
    [{ windowsize: 65_535, timeout: 1 }, 'windowsize 64 timeout 1'],
    [{ windowsize: 64, blksize: 65_464, timeout: 31 }, 'windowsize 4 blksize 65464'],
    [{ windowsize: 3, blksize: 7 }, 'windowsize 3'],
  ];
  for (const [options, granted] of cases) {
    test(`${Object.entries(options).flat().join(' ')} → ${granted}`, () =>
      withClient(sized, never, async (client, port) => {
        client.send(request('1000', { options }), port);
        const { opcode, body } = await client.next();
        assert.equal(opcode, OACK);
        assert.equal(`${body}`, `${granted} `.replaceAll(' ', '\0'));
      }));
  }

  test('none is acknowledged if none is granted', () =>
    withClient(sized, never, async (client, port) => {
      const options = { blksize: 7, timeout: 256, windowsize: 0, tsize: 'x', constructor: 1 };
      assert.deepEqual(await client.load('1000', port, { options }), content(1000));
      assert.equal(client.blocks, 2);
    }));

  test('who only wanted to know the size leaves, and the file is closed', async () => {
    const { download, closed } = watched(77);
    await withServer(
      async () => download,
      never,
      (port) =>
        Client.use(async (client) => {
          client.send(request('any', { options: { tsize: 0 } }), port);
          const { body, port: from } = await client.next();
          assert.equal(`${body}`, 'tsize\x0077\0');
          client.send(words(ERROR, 8, 0), from);
          assert.equal(await closed, 'discarded');
        }),
    );
  });

  test('the agreed timeout replaces ours', () =>
    withClient(sized, never, async (client, port) => {
      client.send(request('1000', { options: { timeout: 1 } }), port);
      assert.deepEqual(await client.next(), await client.next());
    }));
});

describe('losses', limit, () => {
  test('what is not acknowledged comes again', () =>
    withClient(sized, { wait: 20 }, async (client, port) => {
      client.send(request('513'), port);
      const first = await client.next();
      assert.deepEqual(await client.next(), first);
      client.acknowledge(1, first.port);
      // The first may have been on its way once more.
      const second = await client.nextBut(first);
      assert.equal(second.number, 2);
      assert.deepEqual(await client.nextBut(first), second);
      client.acknowledge(2, second.port);
    }));

  test('an acknowledgement that comes twice doubles no block', () =>
    withClient(sized, never, async (client, port) => {
      assert.deepEqual(await client.load('100000', port, { copies: 2 }), content(100_000));
      assert.equal(client.blocks, 196);
      client.blocks = 0;
      const options = { windowsize: 8 };
      assert.deepEqual(
        await client.load('100000', port, { options, window: 8, copies: 2 }),
        content(100_000),
      );
      assert.equal(client.blocks, 196);
    }));

  test('the window goes on behind the last block that came', () =>
    withClient(sized, never, async (client, port) => {
      client.send(request('10000', { options: { windowsize: 4 } }), port);
      const { port: from } = await client.next();
      const numbers = async () => {
        const packets = [await client.next(), await client.next(), await client.next(), await client.next()];
        return packets.map(({ number }) => number);
      };
      client.acknowledge(0, from);
      assert.deepEqual(await numbers(), [1, 2, 3, 4]);
      client.acknowledge(2, from); // 3 was lost
      client.acknowledge(2, from);
      client.acknowledge(1, from);
      assert.deepEqual(await numbers(), [3, 4, 5, 6]);
      client.acknowledge(6, from);
      assert.deepEqual(await numbers(), [7, 8, 9, 10]);
    }));

  test('who asks again gets one transfer', async () => {
    const asked: string[] = [];
    const answer: Answer = (question) => {
      asked.push(question.path);
      return sized(question);
    };
    await withClient(answer, never, async (client, port) => {
      client.send(request('1000'), port);
      client.send(request('1000'), port);
      const first = await client.next();
      client.acknowledge(1, first.port);
      assert.equal((await client.next()).number, 2);
      // It had its first block, so it has forgotten it since: a board that was switched off and on.
      assert.deepEqual(await client.load('1000', port), content(1000));
      // The port is used for something else: what it asked for before is over.
      assert.deepEqual(await client.load('5', port), content(5));
      assert.deepEqual(asked, ['1000', '1000', '5']);
    });
  });

  test('a client that vanishes is given up, and the file is closed', async () => {
    const { download, closed } = watched(1 << 20);
    await withServer(
      async () => download,
      { wait: 5, tries: 3 },
      (port) =>
        Client.use(async (client) => {
          client.send(request('any'), port);
          const numbers = [await client.next(), await client.next(), await client.next()].map(
            (p) => p.number,
          );
          assert.deepEqual(numbers, [1, 1, 1]);
          assert.equal(await closed, 'destroyed');
        }),
    );
  });
});

describe('refusals', limit, () => {
  const cases: [what: string, packet: Buffer, code: number][] = [
    ['an unknown file', request('unknown'), 1],
    ['a write request', request('1', { opcode: 2 }), 2],
    ['another mode', request('1', { mode: 'netascii' }), 4],
    ['a path of 256 bytes', request('ü'.repeat(128)), 4],
    ['a path that is no UTF-8', request(Buffer.from([0x61, 0xff])), 4],
  ];
  for (const [what, packet, code] of cases) {
    test(what, () =>
      withClient(sized, never, async (client, port) => {
        client.send(packet, port);
        const { opcode, number } = await client.next();
        assert.deepEqual([opcode, number], [ERROR, code]);
      }),
    );
  }

  test('the longest path, and modes in any case', () =>
    withClient(sized, never, async (client, port) => {
      client.send(request('1'.padStart(255, '0'), { mode: 'OcTet' }), port);
      assert.deepEqual((await client.next()).body, content(1));
    }));

  test('an answer or a stream that fails', async () => {
    const answer: Answer = async ({ path }) => {
      if (path === 'answer') throw new Error('no answer');
      return { size: 1, content: new Readable({ read: (): never => assert.fail('no bytes') }) };
    };
    await withClient(answer, never, async (client, port) => {
      await assert.rejects(client.load('answer', port), { message: '0 server error' });
      await assert.rejects(client.load('stream', port), { message: '0 server error' });
    });
  });

  test('a packet from another port, which disturbs nothing', () =>
    withServer(sized, never, (port) =>
      Client.use((client) =>
        Client.use(async (stranger) => {
          client.send(request('1000'), port);
          const { port: from } = await client.next();
          stranger.send(words(ERROR, 0, 0), from); // answered by nothing
          stranger.acknowledge(1, from);
          const { opcode, number } = await stranger.next();
          assert.deepEqual([opcode, number], [ERROR, 5]);
          client.acknowledge(1, from);
          assert.equal((await client.next()).number, 2);
        }),
      ),
    ));

  test('a broken packet ends the transfer', () =>
    withClient(sized, never, async (client, port) => {
      for (const packet of [Buffer.alloc(0), words(4), words(DATA, 1), request('1000')]) {
        client.send(request('1000'), port);
        const { port: from } = await client.next();
        client.send(packet, from);
        const { opcode, number, port: last } = await client.next();
        assert.deepEqual([opcode, number, last], [ERROR, 4, from]);
      }
    }));

  test('more than 64 transfers of one address', async () => {
    const free = Promise.withResolvers<undefined>();
    await withServer(
      () => free.promise,
      never,
      async (port) => {
        const asking = Array.from({ length: 65 }, () =>
          Client.use((client) => client.load('1', port).then(() => {})),
        );
        await assert.rejects(Promise.race(asking), { message: '0 busy' });
        free.resolve(undefined);
        const results = await Promise.allSettled(asking);
        const messages = results.map((result) => (result.status === 'rejected' ? result.reason.message : ''));
        assert.equal(messages.filter((message) => message === '1 no such file').length, 64);
      },
    );
  });
});

test('hostile packets are survived', limit, () =>
  withServer(sized, never, async (port) => {
    const opcode = fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 0x100, 0xffff).map((value) => words(value));
    const field = fc.oneof(
      fc.constantFrom('octet', '1000', 'blksize', 'tsize', '8', '-1', '1e9', '9'.repeat(400), '__proto__'),
      fc.string(),
    );
    const fields = fc.array(field, { maxLength: 40 }).map((list) => Buffer.from(list.join('\0')));
    const body = fc.oneof(fields, fc.uint8Array({ maxLength: 600 }));
    const end = fc.constantFrom('', '\0').map((text) => Buffer.from(text));
    const packet = fc.oneof(
      fc.uint8Array({ maxLength: 2000 }),
      fc.tuple(opcode, body, end).map((parts) => Buffer.concat(parts)),
    );
    const property = fc.asyncProperty(packet, packet, (one, other) =>
      Client.use((hostile) =>
        Client.use(async (client) => {
          hostile.send(one, port);
          client.send(request('600'), port);
          const { port: from } = await client.next();
          hostile.send(other, from);
          client.acknowledge(1, from);
          assert.equal((await client.next()).number, 2);
          client.send(other, from);
          await client.send(words(ERROR, 0, 0), from);
        }),
      ),
    );
    await fc.assert(property, { numRuns: 300 });
  }),
);

describe('close', limit, () => {
  test('ends transfers', async () => {
    const { download, closed } = watched(1 << 20);
    const server = new TftpServer(async () => download, never);
    const port = await server.listen(LOCAL, 0);
    await Client.use(async (client) => {
      client.send(request('any'), port);
      await client.next();
      await server.close();
      assert.equal(await closed, 'destroyed');
      const { opcode, number } = await client.next();
      assert.deepEqual([opcode, number], [ERROR, 0]);
    });
  });

  test('frees the port; one that is taken is told', async () => {
    const server = new TftpServer(sized);
    const port = await server.listen(LOCAL, 0);
    const second = new TftpServer(sized);
    await assert.rejects(second.listen(LOCAL, port), { code: 'EADDRINUSE' });
    await second.close();
    await server.close();
    const third = new TftpServer(sized);
    assert.equal(await third.listen(LOCAL, port), port);
    await third.close();
  });
});

test('a file for who counts a block twice that comes twice is sent once, however long that takes', async () => {
  const answer: Answer = async ({ path }) => ({ ...downloadOf(content(2000)), isSentOnce: path === 'once' });
  await withServer(answer, { wait: 20, tries: 12 }, async (port) => {
    await Client.use(async (firmware) => {
      await firmware.send(request('once'), port);
      const first = await firmware.next();
      assert.deepEqual([first.opcode, first.number], [DATA, 1]);
      await Client.use(async (other) => {
        await other.send(request('again and again'), port);
        for (let times = 0; times < 4; times++) assert.equal((await other.next()).number, 1);
      });
      firmware.acknowledge(1, first.port);
      const second = await firmware.next();
      assert.deepEqual([second.opcode, second.number, firmware.blocks], [DATA, 2, 2]);
    });
  });
});
