import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, afterEach, before, describe, test } from 'node:test';
import { loopbackNet } from '../../server/test/network.ts';
import { readPorts } from '../src/nodes/exposed-ports.ts';
import { openClient } from './client.ts';

const { server, checkout } = await openClient({ subnet: loopbackNet() });
const running: ChildProcess[] = [];
const services: Server[] = [];
let ip = '';

before(async () => {
  await server.addImage('alice/debian');
  await server.addNode('vnode1');
  const shown = await checkout.run(['node', 'show', '--json']);
  ip = JSON.parse(shown.stdout)[0].ip;
});
afterEach(async () => {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill('SIGKILL');
    await once(child, 'close');
  }
});
after(() => {
  for (const service of services) service.close();
});

/** A service of the node; answers its port. */
async function serve(receive: (socket: Socket) => void): Promise<number> {
  const service = createServer({ allowHalfOpen: true }, receive);
  services.push(service.listen(0, ip));
  await once(service, 'listening');
  return (service.address() as AddressInfo).port;
}

const echo = () => serve((socket) => socket.pipe(socket));

interface Exposed {
  child: ChildProcess;
  ports: { nodePort: number; localPort: number; addresses: string[] }[];
  /** Resolves once this was told. */
  told(words: RegExp): Promise<void>;
}

async function expose(...words: string[]): Promise<Exposed> {
  const child = checkout.start(['node', 'expose', 'vnode1', ...words, '--json']);
  running.push(child);
  let [out, err] = ['', ''];
  child.stderr?.on('data', (data) => {
    err += data;
  });
  for await (const data of child.stdout ?? []) {
    out += data;
    if (out.endsWith(']\n')) break;
  }
  return {
    child,
    ports: JSON.parse(out),
    async told(words) {
      while (!words.test(err)) await once(child.stderr as never, 'data');
    },
  };
}

/** To the first port that is exposed. */
async function connected({ ports: [first] }: Exposed, host = '127.0.0.1'): Promise<Socket> {
  const socket = dial({ host, port: first?.localPort ?? 0, allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

/** All until the other side has ended its direction; this one stays. */
async function heardBy(socket: Socket): Promise<string> {
  let heard = '';
  socket.on('data', (data) => {
    heard += data;
  });
  await once(socket, 'end');
  return heard;
}

async function said(socket: Socket, what: string): Promise<string> {
  socket.end(what);
  return text(socket);
}

describe('ports on the command line', () => {
  const rows: [words: string[], pairs: [number, number][]][] = [
    [['80', '8080'], [[80, 8080]]],
    [['80:8080'], [[80, 8080]]],
    [
      ['80', '8080', '443:8443', '22', '0'],
      [
        [80, 8080],
        [443, 8443],
        [22, 0],
      ],
    ],
    [
      ['80:0', '81:0'],
      [
        [80, 0],
        [81, 0],
      ],
    ],
    [
      ['80:8080', '80:8081'],
      [
        [80, 8080],
        [80, 8081],
      ],
    ],
  ];
  for (const [words, pairs] of rows) {
    test(`are read: ${words.join(' ')}`, () =>
      assert.deepEqual(
        readPorts(words).map(({ node, local }) => [node, local]),
        pairs,
      ));
  }
  for (const words of [
    ['80'],
    ['80:8080', '81'],
    ['0', '80'],
    ['80', '65536'],
    ['-1', '80'],
    ['a:b'],
    ['1:2:3'],
    ['1e3', '80'],
    ['80:8080', '81:8080'],
    ['', '80'],
    ['80', ' 80'],
  ]) {
    test(`are refused: ${JSON.stringify(words)}`, () =>
      assert.throws(() => readPorts(words), { name: 'UsageError' }));
  }
});

describe('walt node expose', () => {
  test('leads to the node, by IPv4 and by IPv6', async () => {
    const open = await expose(`${await echo()}`, '0');
    const addresses = open.ports[0]?.addresses ?? [];
    assert.equal(addresses[0], '127.0.0.1');
    for (const address of addresses)
      assert.equal(await said(await connected(open, address), address), address);
  });

  test('carries many connections at once', async () => {
    const open = await expose(`${await echo()}:0`);
    const sockets = await Promise.all(Array.from({ length: 50 }, () => connected(open)));
    const block = 'x'.repeat(20_000);
    const answers = await Promise.all(sockets.map((socket, index) => said(socket, `${index} ${block}`)));
    assert.deepEqual(
      answers.map((answer) => answer.split(' ')[0]),
      sockets.map((_, index) => String(index)),
    );
    assert.ok(answers.every((answer) => answer.endsWith(block)));
  });

  test('leads several ports to several', async () => {
    const open = await expose(`${await echo()}:0`, `${await serve((socket) => socket.end('second'))}`, '0');
    assert.equal(open.ports.length, 2);
    assert.equal(await said(await connected({ ...open, ports: open.ports.slice(1) }), ''), 'second');
  });

  test('keeps each direction until it ends', async () => {
    const { promise: heard, resolve } = Promise.withResolvers<string>();
    const port = await serve((socket) => {
      socket.end('I say no more');
      resolve(heardBy(socket));
    });
    const socket = await connected(await expose(`${port}:0`));
    assert.equal(await heardBy(socket), 'I say no more');
    socket.end('but I do');
    assert.equal(await heard, 'but I do');
  });

  test('tells what the node refuses, and goes on', async () => {
    const gone = await serve(() => {});
    await new Promise((resolve) => services.pop()?.close(resolve));
    const open = await expose(`${gone}:0`);
    const socket = await connected(open);
    await assert.rejects(said(socket, 'hello'), { code: 'ECONNRESET' });
    await open.told(/^walt: Port \d+ of node vnode1 refuses connections\.\n {2}→ /);
    services.push(createServer((other) => other.end('here again')).listen(gone, ip));
    await once(services.at(-1) as Server, 'listening');
    assert.equal(await said(await connected(open), ''), 'here again');
  });

  test('says who has a port that is taken, and takes none then', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const { status, stdout, stderr } = await checkout.run(['node', 'expose', 'vnode1', '80:0', `22:${port}`]);
    taken.close();
    assert.equal(status, 1);
    assert.equal(stdout, '');
    assert.match(
      stderr,
      new RegExp(`^walt: Port ${port} of this machine is in use\\.\\n {2}→ End what listens`),
    );
  });

  test('ends by ctrl-c, with its status and without a word', async () => {
    const { child, ...open } = await expose(`${await echo()}:0`);
    const socket = await connected({ child, ...open });
    let complaint = '';
    child.stderr?.on('data', (data) => {
      complaint += data;
    });
    socket.on('error', () => {}).resume();
    const over = new Promise((resolve) => socket.once('end', resolve).once('close', resolve));
    child.kill('SIGINT');
    const [status, signal] = await once(child, 'close');
    assert.deepEqual([status, signal, complaint], [130, null, '']);
    await over;
    socket.destroy();
  });

  test('ends with an error when there is no such node', async () => {
    const { status, stderr } = await checkout.run(['node', 'expose', 'nowhere', '80:0']);
    assert.equal(status, 1);
    assert.match(stderr, /^walt: There is no node named "nowhere"/);
  });
});
