/**
 * A server that speaks the contract, for tests of the client: calls by oRPC as in the real one, streams and image files
 * beside them. Nodes and images are plain data; a "node" is an sshd of this machine, an "image" a folder.
 */

import { EventEmitter, once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RPCHandler } from '@orpc/server/node';
import {
  type FoundImage,
  type Image,
  type ImageChange,
  type ImageStep,
  imageFiles,
  type LostChange,
  type Node,
  type Registry,
  RPC_PREFIX,
} from '@walt/contract';
import { FakeAuth } from './fake-auth.ts';
import { serveImageFiles } from './fake-image-files.ts';
import { FakeNodeSsh } from './fake-node-ssh.ts';
import { makeRouter } from './fake-router.ts';
import { FakeStreams } from './fake-streams.ts';

/** What a test arranges, and what it looks at afterwards. */
export class FakeWorld {
  readonly folder: string;
  nodes: Node[] = [];
  images: Image[] = [];
  steps: ImageStep[] = [];
  changes: ImageChange[] = [];
  registries: Registry[] = [];
  found: FoundImage[] = [];
  failed: { registry: string; reason: string; hint: string }[] = [];
  sessions: FakeSession[] = [];
  /** What the next builds fail with; undefined: they succeed. */
  buildError: string | undefined;
  /** Calls in their order: name and input. */
  readonly calls: [name: string, input: unknown][] = [];
  /** Calls that want a confirmation. */
  readonly confirm = new Map<string, string>();
  /** Terminal sizes that clients told. */
  readonly sizes: { columns: number; rows: number }[] = [];
  /** Answers the next reading of image files instead of tar(1). */
  nextTar: (() => AsyncIterable<unknown>) | undefined;
  readonly #sizeTold = new EventEmitter();
  readonly auth: FakeAuth;
  readonly ssh: FakeNodeSsh;

  constructor(folder: string) {
    this.folder = folder;
    this.auth = new FakeAuth(join(folder, 'auth'));
    this.ssh = new FakeNodeSsh(join(folder, 'node-ssh'));
  }

  tellSize(size: { columns: number; rows: number }): void {
    this.sizes.push(size);
    this.#sizeTold.emit('size');
  }

  /** Resolves when a client has told this size, perhaps by way of another one. */
  async toldSize(columns: number, rows: number): Promise<void> {
    for (;;) {
      const last = this.sizes.at(-1);
      if (last?.columns === columns && last.rows === rows) return;
      await once(this.#sizeTold, 'size', { signal: AbortSignal.timeout(10_000) });
    }
  }

  /** The file tree of an image. */
  imageFolder(fullName: string): string {
    return join(this.folder, 'images', fullName.replace('/', '_'));
  }
}

export interface FakeSession {
  id: string;
  image: string;
  state: 'running' | 'exited';
  attached: boolean;
  changes: {
    added: number;
    modified: number;
    deleted: number;
    sample: string[];
    lost?: LostChange[];
    refusal?: string;
  };
}

export class FakeServer implements AsyncDisposable {
  readonly world: FakeWorld;
  readonly socket: string;
  readonly #http: Server;
  readonly #streams: FakeStreams;

  private constructor(world: FakeWorld) {
    this.world = world;
    this.socket = join(world.folder, 'walt.sock');
    const rpc = new RPCHandler(makeRouter(world));
    this.#streams = new FakeStreams(world);
    this.#http = createServer((request, response) => {
      this.#serve(rpc, request, response).catch((error: Error) => {
        process.stderr.write(`fake server: ${error.stack}\n`);
        response.destroy();
      });
    });
    this.#http.on('upgrade', (request, socket, head) => this.#streams.upgrade(request, socket, head));
  }

  static async start(): Promise<FakeServer> {
    const server = new FakeServer(new FakeWorld(await mkdtemp(join(tmpdir(), 'walt-cli-test-'))));
    await new Promise<void>((resolve) => server.#http.listen(server.socket, resolve));
    return server;
  }

  async #serve(
    rpc: RPCHandler<{ token: string | undefined }>,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const token = request.headers.authorization?.replace(/^Bearer /, '');
    const url = new URL(request.url ?? '/', 'http://walt');
    if (url.pathname === imageFiles.path) return serveImageFiles(this.world, token, url, request, response);
    const { matched } = await rpc.handle(request, response, { prefix: RPC_PREFIX, context: { token } });
    if (!matched) response.writeHead(404).end();
  }

  /** As when the server dies under open streams. */
  breakStreams(): void {
    this.#streams.breakAll();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#streams.close();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
    await rm(this.world.folder, { recursive: true, force: true });
  }
}
