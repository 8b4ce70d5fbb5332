/** The API of a whole server (server.ts) as several users of its machine meet it, for the tests of one file. */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { after, beforeEach } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { createORPCClient, ORPCError } from '@orpc/client';
import { RPCLink } from '@orpc/client/fetch';
import { type Client, RPC_PREFIX } from '@walt/contract';
import { WebSocket } from 'ws';
import { loopbackNet } from './network.ts';
import { type ServerOptions, startServer, type TestServer } from './server.ts';

export interface TestApi extends Pick<TestServer, 'folder' | 'socket' | 'services'> {
  server: TestServer;
  /** Lines of the journal. */
  journal: string[];
  /** Login names by user id; changes are believed after ten seconds. */
  users: Map<number, string>;
  /** Puts the clock of sign-ins forward, in milliseconds. */
  passes(time: number): void;
  /** A client that calls as this user of the server; null: without a token. */
  client(user: string | null): Promise<Client>;
  token(user: string): Promise<string>;
  /** A node that has booted that image, which comes to be if need be; answers its number, address and serial port. */
  node(name: string, image?: `${string}/${string}`): Promise<TestNode>;
  /** A Unix socket (path), or a port of an address, whose far end the test plays until its end. Answers the port. */
  serve(where: string, onConnection: (socket: Socket) => void): Promise<number>;
}

export interface TestNode {
  id: number;
  ip: string;
  /** Where its machine's serial port is to be, and what it printed. */
  console: { socket: string; log: string; older: string };
}

/** User names and ids of the tests' world. */
const USERS = [
  [0, 'root'],
  [1000, 'alice'],
  [1001, 'bob'],
  [1002, 'carol'],
  [1003, 'dave'],
  [1004, 'erin'],
] as const;

/** Each test finds it without nodes, images and lines of the journal. It is gone after the last one of the file. */
export async function openApi(options: ServerOptions = {}): Promise<TestApi> {
  const journal: string[] = [];
  const write = (message: string, fields = {}) => journal.push(`${message} ${JSON.stringify(fields)}`);
  const users = new Map<number, string>();
  let passed = 0;
  const server = await startServer({
    ...{ subnet: loopbackNet(), log: { info: write, warn: write, error: write }, ...options },
    signIn: { loginName: async (uid) => users.get(uid), now: () => Date.now() + passed },
  });
  const { folder, socket, services, nodes } = server;
  const servers = new Set<Server>();
  beforeEach(async () => {
    for (const [uid, name] of USERS) users.set(uid, name);
    passed = 0;
    for (const one of servers) one.close();
    servers.clear();
    await server.clear();
    journal.length = 0;
  });
  after(async () => {
    for (const one of servers) one.close();
    await server[Symbol.asyncDispose]();
  });

  const serve = async (where: string, onConnection: (socket: Socket) => void) => {
    const one = createServer({ allowHalfOpen: true }, onConnection);
    servers.add(one);
    if (where.startsWith('/')) {
      await mkdir(dirname(where), { recursive: true });
      await rm(where, { force: true });
      one.listen(where);
    } else one.listen(0, where);
    await once(one, 'listening');
    const address = one.address();
    return address !== null && typeof address === 'object' ? address.port : 0;
  };

  const token = async (user: string): Promise<string> => {
    const [uid] = USERS.find(([, name]) => name === user) ?? [];
    if (uid === undefined) throw new Error(`no test user ${user}`);
    const { file: name, nonce } = await services.identity.challenge();
    const file = join(server.platform.paths.auth, name);
    await writeFile(file, nonce, { mode: 0o600 });
    await chown(file, uid, uid);
    return (await services.identity.prove(nonce)).token;
  };
  const node = async (name: string, image: `${string}/${string}` = 'alice/debian') => {
    const [owner = '', imageName = ''] = image.split('/');
    if (!(await server.platform.images.find(owner, imageName))) await server.addImage(image);
    await server.addNode(name, image);
    const { id, ip } = await nodes.lookup.find(name);
    const { log, older } = await nodes.lookup.console(id);
    return { id, ip, console: { socket: nodes.machines.consolePath(id), log, older } };
  };
  return {
    ...{ server, folder, socket, services, journal, users, token, node, serve },
    passes: (time) => {
      passed += time;
    },
    client: async (user) => makeClient(socket, user === null ? undefined : await token(user)),
  };
}

/** Alice gives up her node, and bob takes it. */
export async function handOver(api: TestApi, name: string): Promise<void> {
  await api.server.addImage('waltplatform/pc-x86-64-default');
  const [alice, bob] = [await api.client('alice'), await api.client('bob')];
  await alice.node.release({ set: name, yes: true });
  await bob.node.acquire({ set: name });
}

/** Waits until a node of bob's runs what he wants. */
export async function booted(api: TestApi, name: string): Promise<void> {
  const { node } = await api.client('bob');
  for await (const _event of await node.wait({ set: name }));
}

function makeClient(socketPath: string, token: string | undefined): Client {
  const link = new RPCLink({
    url: `http://walt${RPC_PREFIX}`,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    fetch: async (call) => {
      const answer = await send(socketPath, call.url, {
        method: call.method,
        headers: Object.fromEntries(call.headers),
        body: Buffer.from(await call.arrayBuffer()),
        signal: call.signal,
      });
      const headers = new Headers(answer.headers as Record<string, string>);
      return new Response(Readable.toWeb(answer) as ReadableStream, {
        status: answer.statusCode ?? 0,
        headers,
      });
    },
  });
  return createORPCClient<Client>(link);
}

interface Sent {
  method: string;
  headers?: Record<string, string>;
  body?: Buffer | Readable;
  signal?: AbortSignal;
}

/** One HTTP request on the socket; resolves with the head of the answer. */
export function send(socketPath: string, url: string, sent: Sent): Promise<IncomingMessage> {
  const { method, headers, body, signal } = sent;
  const { pathname, search } = new URL(url, 'http://walt');
  return new Promise((resolve, reject) => {
    const options = {
      socketPath,
      path: pathname + search,
      method,
      ...(headers && { headers }),
      ...(signal && { signal }),
    };
    const outgoing = request(options, resolve);
    outgoing.on('error', reject);
    if (body instanceof Readable) body.pipe(outgoing);
    else outgoing.end(body);
  });
}

/** An open WebSocket, and what came on it. */
export interface TestStream {
  socket: WebSocket;
  /** Binary messages so far, as one text. */
  received(): string;
  /** Resolves when `received()` contains the text, or it was printed; rejects when the WebSocket ends first. */
  until(text: string): Promise<void>;
  /** Resolves when the last JSON frame is this one; rejects when the WebSocket ends first. */
  untilFrame(frame: object): Promise<void>;
  /** Resolves at the end with the last JSON frame. */
  ended: Promise<unknown>;
}

export async function openStream(
  { socket: socketPath }: Pick<TestApi, 'socket'>,
  path: string,
  token?: string,
  more: Record<string, string> = {},
): Promise<TestStream> {
  const socket = new WebSocket(`ws+unix:${socketPath}:${path}`, {
    perMessageDeflate: false,
    headers: { ...more, ...(token !== undefined && { authorization: `Bearer ${token}` }) },
  });
  let text = '';
  let last: unknown;
  const arrivals = new EventEmitter();
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (isBinary) text += data.toString('latin1');
    else last = JSON.parse(data.toString());
    arrivals.emit('message');
  });
  const ended = new Promise<unknown>((resolve) => socket.once('close', () => resolve(last)));
  await once(socket, 'open');
  const untilSo = async (holds: () => boolean) => {
    while (!holds()) {
      if (socket.readyState === WebSocket.CLOSED)
        throw new Error(`ended with ${JSON.stringify(last)} after ${text}`);
      await Promise.race([once(arrivals, 'message'), ended]);
    }
  };
  const until = (wanted: string) =>
    untilSo(() => text.includes(wanted) || withoutMarks(text).includes(wanted));
  const untilFrame = (frame: object) => untilSo(() => isDeepStrictEqual(last, frame));
  return { socket, received: () => text, until, untilFrame, ended };
}

/** What came on a job's stream as output: it may come in any pieces, of which each has a byte in front that tells what it is. */
export const printed = ({ received }: Pick<TestStream, 'received'>) => withoutMarks(received());

const withoutMarks = (text: string) => text.replaceAll('\x01', '');

/** Expects an error of the contract: sentence and next step. */
export function failure(code: string, message: RegExp, hint = /./) {
  return (error: unknown) => {
    assert.ok(error instanceof ORPCError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    assert.match(error.data.hint, hint);
    return true;
  };
}

/** Expects an `error` frame: code, sentence and next step. */
export const errorFrame = (code: string, message: RegExp) => (frame: unknown) => {
  const { type, hint, ...rest } = frame as Record<string, string>;
  assert.equal(type, 'error');
  assert.equal(rest.code, code, String(rest.message));
  assert.match(String(rest.message), message);
  assert.ok(hint);
};

/** Bytes: far more than all buffers between the two ends hold. */
export const FLOOD = 64 * 1024 * 1024;
export const PIECE = 64 * 1024;

/** A figure once it has stood still for 300 ms: no event tells that nothing moves any more. */
export async function settled(figure: () => number): Promise<number> {
  for (let last = figure(); ; ) {
    await delay(300);
    const now = figure();
    if (now === last) return now;
    last = now;
  }
}
