/** A database of PostgreSQL that goes away, and a program that is killed, while lines come. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { TestPostgres, there } from '../../../test/postgres.ts';
import { createLog } from '../../platform/index.ts';
import { storedLine, timeAt } from './chunk.ts';
import { textOf } from './chunk-rows.ts';
import { Queries } from './queries/index.ts';
import { LogStore } from './store.ts';

const THREAD = new URL('./queries/thread.ts', import.meta.url);
/** How often something is killed: 50 for a long look. */
const KILLS = Number(process.env.WALT_LOG_KILLS ?? 10);

let folder: string;
let postgres: TestPostgres;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'walt-outage-'));
  postgres = await TestPostgres.start();
});
after(async () => {
  await postgres?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});
beforeEach(() => postgres.ask('drop schema public cascade; create schema public'));

const openStore = (write: (line: string) => void = () => {}) =>
  LogStore.open({ place: postgres.place, passwordFile: undefined }, createLog('test', write));

function line(number: number): Buffer {
  return storedLine(1_790_000_000_000_000 + number, Buffer.from(String(number)));
}

/** As a node that goes on until it is told that its line is stored. */
async function appendAtLast(store: LogStore, number: number): Promise<void> {
  const batch = { issuer: 'n', streams: new Map([['s', [line(number)]]]) };
  const clock = { boot: 'a', least: 0, since: 0, earlier: null, sent: 0, told: 0 };
  const spool = { id: 'a', reached: number + 1, clock };
  for (;;) {
    try {
      if ((await store.reached('n', 'a')) > number) return;
      return await store.append({ ...batch, spool });
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'UNAVAILABLE', String(error));
      await delay(20);
    }
  }
}

test('a database that is away is named once, what comes is refused meanwhile, who follows waits, and all goes on by itself', async () => {
  await postgres.end('SIGINT');
  const journal: string[] = [];
  const store = await openStore((text) => journal.push(text.replace(/^\S+ /, '')));
  try {
    assert.equal(store.away, true);
    const before = Math.floor(Date.now() / 1000);
    assert.ok((store.outage?.since ?? 0) <= before && (store.outage?.since ?? 0) > before - 600);
    assert.match(store.outage?.reason ?? '', /^PostgreSQL at .* cannot be used: connect ENOENT/);
    for (let at = 0; at < 20; at += 1) {
      await assert.rejects(store.append({ issuer: 'n', streams: new Map([['s', [line(0)]]]) }), {
        code: 'UNAVAILABLE',
        message: /^PostgreSQL at .*, database postgres cannot be used: connect ENOENT/,
      });
      await delay(50);
    }
    assert.equal(journal.length, 1, journal.join('\n'));
    assert.match(journal[0] ?? '', /ERROR +test the database of lines is away/i);
    await postgres.start();
    await appendAtLast(store, 0);
    assert.equal(store.outage, undefined);

    const told: string[] = [];
    const end = new AbortController();
    const query = { issuers: { n: 'n' }, from: 0, to: Number.MAX_SAFE_INTEGER, follow: true };
    let took = Promise.withResolvers<void>();
    const following = new Queries(
      store,
      THREAD,
      createLog('test', () => {}),
    ).run(
      query,
      async (text) => {
        told.push(
          ...(Buffer.from(text)
            .toString()
            .match(/^L .*$/gm) ?? []),
        );
        took.resolve();
      },
      end.signal,
    );
    for (const [number, signal] of [
      [1, 'SIGINT'],
      [2, 'SIGKILL'],
    ] as const) {
      while (told.length < number) await took.promise.then(() => (took = Promise.withResolvers()));
      await postgres.end(signal);
      await postgres.start();
      await appendAtLast(store, number);
    }
    while (told.length < 3) await took.promise.then(() => (took = Promise.withResolvers()));
    end.abort();
    await following;
    assert.deepEqual(
      told.map((text) => text.split(' ')[3]),
      ['0', '1', '2'],
    );
  } finally {
    await store.close();
  }
});

test('one program at a time works with a database', async () => {
  const first = await there(openStore());
  const second = await openStore();
  for (let told = false; !told; await delay(20)) {
    await assert.rejects(second.reached('n', 'a'), (error: Error) => {
      told = /another program works with it/.test(error.message);
      return 'code' in error && error.code === 'UNAVAILABLE';
    });
  }
  await first.close();
  await appendAtLast(second, 0);
  await second.close();
});

/** Their first and last address, and the last of all machines. */
const NODES = ['127.0.0.1', '127.255.255.254', '127.255.255.254'];

/** The program itself, on an address of the loopback that is this test's. */
class Program {
  readonly address =
    `127.${(process.pid >> 14) % 200}.${(process.pid >> 7) & 127}.${(process.pid & 127) + 1}`;
  readonly #config: string;
  #child: ChildProcess | undefined;

  constructor(config: string) {
    this.#config = config;
  }

  start(): void {
    const main = new URL('./main.ts', import.meta.url).pathname;
    const argv = ['--pdeathsig', 'KILL', '--', process.execPath, main];
    this.#child = spawn('setpriv', [...argv, this.address, ...NODES, 'test'], {
      env: { ...process.env, WALT_CONFIG: this.#config },
      stdio: 'ignore',
    });
  }

  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }
}

/** A node with a spool of its own, as walt-log-sender brings it: from where the server said, again and again. */
class Sender {
  readonly #server: string;
  readonly #address: string;
  readonly #spool: Buffer[] = [];
  #size = 0;
  #reached = 0;
  lines = 0;
  acknowledged = 0;

  constructor(server: string, address: string) {
    this.#server = server;
    this.#address = address;
  }

  log(count: number): void {
    for (let at = 0; at < count; at += 1) {
      const record = Buffer.from(
        `@1790000000.${String(this.lines % 1e6).padStart(6, '0')} s ${this.lines}\n`,
      );
      this.#spool.push(record);
      this.#size += record.length;
      this.lines += 1;
    }
  }

  /** Brings what is there, once. */
  async send(): Promise<void> {
    const body = Buffer.concat(this.#spool).subarray(this.#reached, this.#reached + 64 * 1024);
    if (body.length === 0) return;
    const sent = request({
      ...{ host: this.#server, port: 12_347, localAddress: this.#address, method: 'POST', agent: false },
      path: `/node/log?spool=boot.1&from=${this.#reached}`,
      headers: { 'content-length': body.length, 'x-walt-clock': (Date.now() / 1000).toFixed(6) },
    });
    sent.end(body);
    try {
      const [response] = await once(sent, 'response');
      let text = '';
      for await (const part of response) text += part;
      if (response.statusCode === 200) this.#reached = Math.max(this.#reached, Number(text));
      else await delay(20);
    } catch {
      await delay(20);
    }
    this.acknowledged = this.#reached === this.#size ? this.lines : this.acknowledged;
  }

  get done(): boolean {
    return this.#reached === this.#size;
  }

  get reached(): number {
    return this.#reached;
  }
}

test(`${KILLS} times killed, database or program, while lines come: all are there, none twice`, async (t) => {
  const config = join(folder, 'server.conf');
  const places = { state: join(folder, 'state'), runtime: join(folder, 'run') };
  await Promise.all(Object.values(places).map((path) => mkdir(path)));
  await writeFile(config, JSON.stringify({ ...places, logs: { database: postgres.url } }));
  const program = new Program(config);
  t.after(() => program.end('SIGKILL'));
  const senders = [1, 2, 3, 4].map((at) => new Sender(program.address, `127.0.0.${at}`));
  let last = false;
  const sending = senders.map(async (sender) => {
    while (!last || !sender.done) {
      if (!last) sender.log(50);
      await sender.send();
    }
  });
  // The program comes first, and waits for its database.
  await postgres.end('SIGINT');
  program.start();
  await postgres.start();
  for (let kill = 0; kill < KILLS; kill += 1) {
    const before = senders.map(({ reached }) => reached);
    while (senders.some(({ reached }, at) => reached <= (before[at] ?? 0))) await delay(10);
    if (kill % 2 === 0) {
      await postgres.end('SIGKILL');
      await postgres.start();
    } else {
      await program.end('SIGKILL');
      program.start();
    }
  }
  last = true;
  await Promise.all(sending);
  await program.end('SIGTERM');

  const store = await there(openStore());
  try {
    const { heads, streams } = await store.heads(() => true, 0, Number.MAX_SAFE_INTEGER);
    assert.equal(streams.length, senders.length);
    for (const [at, sender] of senders.entries()) {
      const { id } = streams.find(({ issuer }) => issuer === `127.0.0.${at + 1}`) ?? assert.fail();
      const ids = heads.filter(({ stream }) => stream === id).map((head) => head.id);
      const numbers: number[] = [];
      for (const chunk of await store.chunks(ids)) {
        const text = textOf(chunk).toString();
        for (const stored of text.trimEnd().split('\n')) {
          assert.ok(timeAt(Buffer.from(stored), 0) > 0);
          numbers.push(Number(stored.split(' ')[1]));
        }
      }
      numbers.sort((a, b) => a - b);
      assert.equal(numbers.length, sender.lines);
      assert.ok(numbers.every((number, index) => number === index));
    }
    assert.ok(senders.every(({ lines }) => lines >= 50));
  } finally {
    await store.close();
  }
});
