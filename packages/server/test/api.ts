/** A whole API on a temporary socket, for tests: real identity, database and SSH authority; what is behind is in memory. */

import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { createORPCClient, ORPCError } from '@orpc/client';
import { RPCLink } from '@orpc/client/fetch';
import { type Client, RPC_PREFIX } from '@walt/contract';
import { WebSocket } from 'ws';
import { accessTables, Identity, SshAuthority, StandingRights } from '../src/access/index.ts';
import { type Api, listen, type Services } from '../src/api/index.ts';
import { createImageCalls, type Images } from '../src/images/index.ts';
import { NodeEntry } from '../src/nodes/index.ts';
import { openDatabase } from '../src/platform/index.ts';
import { MemoryImages, MemoryNodes } from './memory-services.ts';
import { serverStatus } from './status.ts';

export interface TestApi extends AsyncDisposable {
  folder: string;
  socket: string;
  api: Api;
  services: Services;
  nodes: MemoryNodes;
  images: MemoryImages;
  /** Lines of the journal. */
  journal: string[];
  /** Login names by user id; changes are believed after ten seconds. */
  users: Map<number, string>;
  /** Puts the clock of sign-ins forward, in milliseconds. */
  passes(time: number): void;
  /** A client that calls as this user of the server; null: without a token. */
  client(user: string | null): Promise<Client>;
  token(user: string): Promise<string>;
  /** A Unix socket (path) or TCP port of loopback (0: a free one, answered) whose far end the test plays. */
  serve(where: number | string, onConnection: (socket: Socket) => void): Promise<number>;
}

/** User names and ids of the tests' world. */
const USERS = new Map([
  [0, 'root'],
  [1000, 'alice'],
  [1001, 'bob'],
]);

export async function startApi(): Promise<TestApi> {
  const folder = await mkdtemp(join(tmpdir(), 'walt-api-'));
  const socket = join(folder, 'walt.sock');
  const database = await openDatabase(':memory:', accessTables);
  const journal: string[] = [];
  const write = (message: string, fields = {}) => journal.push(`${message} ${JSON.stringify(fields)}`);
  const users = new Map(USERS);
  let passed = 0;
  const nodes = new MemoryNodes();
  const images = new MemoryImages();
  const ssh = await SshAuthority.open({ keys: join(folder, 'keys') });
  const rights = new StandingRights({ info: write, warn: write, error: write });
  const entry = new NodeEntry({ lookup: nodes, rights, ssh });
  const ofImages = createImageCalls({ images: images as unknown as Images, nodes });
  const services: Services = {
    identity: await Identity.open({
      paths: { auth: join(folder, 'auth') },
      database,
      loginName: async (uid) => users.get(uid),
      now: () => Date.now() + passed,
    }),
    rights,
    entry,
    images: ofImages.streams,
    calls: {
      ...ofImages.calls,
      node: nodes,
      access: entry,
      device: { list: async () => [] },
      server: { status: async ({ user }) => serverStatus(user, folder) },
    },
    log: { info: write, warn: write, error: write },
  };
  const api = await listen(services, { socket });
  const servers: Server[] = [];
  const serve = async (where: number | string, onConnection: (socket: Socket) => void) => {
    const server = createServer({ allowHalfOpen: true }, onConnection);
    servers.push(server);
    if (typeof where === 'number') server.listen(where, '127.0.0.1');
    else server.listen(where);
    await once(server, 'listening');
    const address = server.address();
    return address !== null && typeof address === 'object' ? address.port : 0;
  };

  const token = async (user: string): Promise<string> => {
    const [uid] = [...USERS].find(([, name]) => name === user) ?? [];
    if (uid === undefined) throw new Error(`no test user ${user}`);
    const { file: name, nonce } = await services.identity.challenge();
    const file = join(folder, 'auth', name);
    await writeFile(file, nonce, { mode: 0o600 });
    await chown(file, uid, uid);
    return (await services.identity.prove(nonce)).token;
  };
  return {
    folder,
    socket,
    api,
    services,
    nodes,
    images,
    journal,
    users,
    passes: (time) => {
      passed += time;
    },
    token,
    serve,
    client: async (user) => makeClient(socket, user === null ? undefined : await token(user)),
    [Symbol.asyncDispose]: async () => {
      for (const server of servers) server.close();
      await api.close();
      services.rights.close();
      await database.destroy();
      await rm(folder, { recursive: true, force: true });
    },
  };
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
  /** Resolves when `received()` contains the text; rejects when the WebSocket ends first. */
  until(text: string): Promise<void>;
  /** Resolves at the end with the last JSON frame. */
  ended: Promise<unknown>;
}

export async function openStream(
  { socket: socketPath }: Pick<TestApi, 'socket'>,
  path: string,
  token?: string,
): Promise<TestStream> {
  const socket = new WebSocket(`ws+unix:${socketPath}:${path}`, {
    perMessageDeflate: false,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
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
  const until = async (wanted: string) => {
    while (!text.includes(wanted)) {
      if (socket.readyState === WebSocket.CLOSED)
        throw new Error(`ended with ${JSON.stringify(last)} after ${text}`);
      await Promise.race([once(arrivals, 'message'), ended]);
    }
  };
  return { socket, received: () => text, until, ended };
}

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
