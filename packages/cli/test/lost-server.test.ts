/** The server goes while a command talks to it: whatever the moment, the command ends, and with a sentence. Goes over all commands. */
import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { loopbackNet } from '../../server/test/network.ts';
import { type CommandEntry, categories, singles } from '../src/words/categories.ts';
import { openClient } from './client.ts';
import { Cut } from './cut.ts';

const { server, checkout } = await openClient({ subnet: loopbackNet() });
server.withoutPackages();

/** Connections that go through as a whole, and bytes of the answer on the one after them. */
const CUTS: [connections: number, bytes: number][] = [
  [0, 0],
  [0, 250],
  [1, 250],
  [2, 250],
];
/** Milliseconds. */
const LIMIT = 240_000;
/** Milliseconds for which a server lives that let all connections through. */
const LIFE = 3000;
const PARALLEL = 4;

/** What each argument may be, by the name that the help gives it. */
const WORDS: Record<string, string> = {
  ...{ set: 'vnode1', node: 'vnode1', host: 'vnode1', name: 'vnode9', image: 'debian', 'new-name': 'other' },
  ...{
    version: 'debian',
    'other-version': 'debian',
    command: 'true',
    registry: 'hub',
    keyword: 'deb',
    paths: '/etc',
  },
  ...{ link: 'walt:bob/x', topic: 'intro' },
};

before(async () => {
  await server.addImage('waltplatform/pc-x86-64-default');
  await server.addTree('alice/debian');
  await server.addImage('bob/x');
  await server.addNode('vnode1');
});

/** A command line that is right as such. */
async function lineOf(words: readonly string[], entry: CommandEntry): Promise<string[]> {
  const { registeredArguments } = (await entry.load()).command();
  const place = words[0] === 'image' ? 'debian:/etc/hostname' : 'vnode1:/etc/hostname';
  const given = registeredArguments.map((argument) => {
    const name = argument.name();
    if (name === 'source') return place;
    if (name === 'destination') return join(checkout.home, 'copy');
    return WORDS[name] ?? 'debian';
  });
  return [...words, ...given];
}

async function lines(): Promise<string[][]> {
  const all = [
    ...Object.entries(singles).map(([name, entry]) => lineOf([name], entry)),
    ...Object.entries(categories).flatMap(([category, { commands }]) =>
      Object.entries(commands).map(([verb, entry]) => lineOf([category, verb], entry)),
    ),
  ];
  return await Promise.all(all);
}

let made = 0;

/** What is wrong with how a command ends whose server goes; undefined: nothing. */
async function wrong(line: readonly string[], whole: number, bytes: number): Promise<string | undefined> {
  made += 1;
  await using cut = await Cut.open(server.socket, join(server.folder, `cut-${made}.sock`), whole, bytes);
  const env = { WALT_SOCKET: cut.path, XDG_CACHE_HOME: join(checkout.home, `cache-${made}`) };
  const child = checkout.start(line, { env });
  let stderr = '';
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  child.stdout?.resume();
  child.stdin?.on('error', () => {});
  child.stdin?.end();
  const timers = [setTimeout(() => child.kill('SIGKILL'), LIMIT), setTimeout(() => cut.cut(), LIFE)];
  const [status, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    child.on('close', (...end) => resolve(end)),
  );
  for (const timer of timers) clearTimeout(timer);
  const what = `walt ${line.join(' ')} (${whole}, ${bytes}): ${signal ?? status}: ${stderr}`;
  if (signal !== null) return what;
  if (/bug in walt|^ {4}at |Unhandled|node:internal/m.test(stderr)) return what;
  // Beside walt's own words, ssh may have some of its own.
  // What ping(8) answers is its exit status alone.
  if (line[1] === 'ping' && status === 1 && stderr === '') return undefined;
  return status !== 0 && !/^walt: .+\n {2}→ .+$/m.test(stderr) && !/[Cc]onnection closed/.test(stderr)
    ? what
    : undefined;
}

test('every command ends with a sentence when the server goes', { timeout: 1_200_000 }, async () => {
  const queue = (await lines()).flatMap((line) => CUTS.map((cut) => [line, ...cut] as const));
  assert.ok(queue.length > 150, String(queue.length));
  const all: string[] = [];
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const failure = await wrong(...next);
      if (failure !== undefined) all.push(failure);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  assert.deepEqual(all, []);
});

test('a server that is full says so, to calls and to streams', { timeout: 600_000 }, async () => {
  const error = { code: 'UNAVAILABLE', message: 'The server is full.', data: { hint: 'Come back later.' } };
  const text = JSON.stringify({ ...error, json: { defined: true, status: 503, ...error } });
  const head = `HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${text.length}`;
  for (const [refused, line] of [
    [/./, ['node', 'show']],
    [/upgrade: websocket/i, ['node', 'console', 'vnode1']],
  ] as const) {
    made += 1;
    const path = join(server.folder, `full-${made}.sock`);
    const full = createServer((client) => {
      const behind = connect(server.socket).on('error', () => {});
      client.on('error', () => {}).on('close', () => behind.destroy());
      behind.on('close', () => client.destroy());
      client.on('data', (chunk) => {
        if (refused.test(chunk.toString('latin1'))) client.end(`${head}\r\n\r\n${text}`);
        else behind.write(chunk);
      });
      behind.on('data', (chunk) => client.write(chunk));
    });
    await new Promise<void>((resolve) => full.listen(path, resolve));
    const { status, stderr } = await checkout.run(line, { env: { WALT_SOCKET: path } });
    full.close();
    assert.equal(status, 1, stderr);
    assert.equal(stderr, 'walt: The server is full.\n  → Come back later.\n');
  }
});
