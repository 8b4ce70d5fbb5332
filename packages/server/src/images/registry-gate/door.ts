/** Where a program that copies an image meets the registry: on loopback, without TLS, for who knows the secret. */
import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { failureOfStatus, GateError } from './failure.ts';
import { passOn } from './patience.ts';
import { type Failure, type Order, SMALL } from './protocol.ts';
import type { Request, Upstream } from './upstream.ts';

/** Headers that the program may learn of. None leads anywhere: where that is needed, the place is our own. */
const PASSED = [
  ...['content-type', 'content-length', 'content-range', 'docker-content-digest'],
  ...['docker-distribution-api-version', 'docker-upload-uuid', 'range', 'retry-after'],
];
/** Headers that the registry is told. */
const TOLD = ['accept', 'content-type', 'content-length', 'content-range', 'range'];
const METHODS = ['GET', 'HEAD', 'POST', 'PATCH', 'PUT'] as const;
/** Path of places to which a registry wants the rest of an upload sent. No repository has capitals. */
const UPLOADS = '/v2/UPLOADS/';

export interface DoorOptions {
  order: Order;
  repository: string;
  secret: string;
  /** Bytes of the layers that may pass, by digest. */
  blobs: Readonly<Record<string, number>>;
  /** Called for bytes of layers, with how many they were. */
  onMoved: (bytes: number) => void;
  onFailure: (failure: Failure) => void;
}

export class Door {
  readonly #upstream: Upstream;
  readonly #options: DoorOptions;
  readonly #server: Server;
  readonly #wanted: Buffer;
  readonly #uploads: URL[] = [];

  constructor(upstream: Upstream, options: DoorOptions) {
    this.#upstream = upstream;
    this.#options = options;
    this.#wanted = Buffer.from(`Basic ${Buffer.from(`walt:${options.secret}`).toString('base64')}`);
    this.#server = createServer((request, response) => void this.#handle(request, response));
    // A large layer takes its time.
    this.#server.requestTimeout = 0;
    this.#server.on('clientError', (_error, socket) => socket.destroy());
  }

  /** Answers the port. */
  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new TypeError('no port');
    return address.port;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {});
    request.on('error', () => {});
    try {
      if (!this.#mayPass(request)) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="walt"' }).end();
        return;
      }
      await this.#pass(request, response);
    } catch (error) {
      // The program has gone: that is no failure of the registry.
      if (response.destroyed && !(error instanceof GateError)) return;
      this.#options.onFailure(GateError.of(error, new URL(this.#options.order.origin).host).failure);
      if (response.headersSent) response.destroy();
      else response.writeHead(502).end();
    }
  }

  #mayPass({ headers }: IncomingMessage): boolean {
    const given = Buffer.from(headers.authorization ?? '');
    return given.length === this.#wanted.length && timingSafeEqual(given, this.#wanted);
  }

  async #pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = METHODS.find((known) => known === request.method);
    const url = this.#target(request.url ?? '');
    if (!method || !url) {
      response.writeHead(404).end();
      return;
    }
    const answer = await this.#upstream.ask({
      ...{ method, url, headers: chosen(request, TOLD), body: await this.#body(method, request) },
      purpose: method === 'GET' || method === 'HEAD' ? 'read' : 'write',
    });
    try {
      await this.#answer({ method, url, answer }, response);
    } finally {
      answer.destroy();
    }
  }

  async #answer(
    { method, url, answer }: { method: Request['method']; url: URL; answer: IncomingMessage },
    response: ServerResponse,
  ): Promise<void> {
    const { statusCode: status = 502, headers } = answer;
    const failure = failureOfStatus(status);
    // Asking whether something is there is how a copy begins.
    if (failure && !(method === 'HEAD' && failure.kind === 'not-found')) this.#options.onFailure(failure);
    const passed = chosen(answer, PASSED);
    if (status === 202 && headers.location !== undefined) {
      passed.location = this.#place(this.#upstream.follow(headers.location, url));
    }
    response.writeHead(status, passed);
    if (method === 'HEAD') {
      response.end();
      return;
    }
    const size = status === 200 ? this.#sizeOf(url) : undefined;
    const { silence, origin } = this.#options.order;
    await passOn(answer, response, {
      ...{ limit: size ?? SMALL, silence, host: new URL(origin).host },
      onBytes: size === undefined ? () => {} : this.#options.onMoved,
    });
  }

  /** Where a request goes: into the one repository, or to a place that the registry named. Undefined: nowhere. */
  #target(path: string): URL | undefined {
    const { order, repository } = this.#options;
    const url = URL.canParse(path, order.origin) ? new URL(path, order.origin) : undefined;
    if (!url || url.origin !== order.origin) return undefined;
    if (url.pathname === '/v2/') return url;
    if (url.pathname.startsWith(UPLOADS)) {
      const place = this.#uploads[Number(url.pathname.slice(UPLOADS.length))];
      if (!place) return undefined;
      const target = new URL(place);
      for (const [name, value] of url.searchParams) target.searchParams.set(name, value);
      return target;
    }
    // Nothing is taken over from other repositories, which nobody asked about.
    for (const name of ['mount', 'from']) url.searchParams.delete(name);
    const inside = ['manifests', 'blobs'].map((kind) => `/v2/${repository}/${kind}/`);
    return inside.some((folder) => url.pathname.startsWith(folder)) ? url : undefined;
  }

  #place(url: URL): string {
    return UPLOADS + (this.#uploads.push(url) - 1);
  }

  /** What is small may have to be sent twice. */
  async #body(method: Request['method'], request: IncomingMessage): Promise<Request['body']> {
    if (method === 'GET' || method === 'HEAD') return undefined;
    const size = request.headers['transfer-encoding']
      ? undefined
      : Number(request.headers['content-length'] ?? 0);
    if (size !== undefined && size <= SMALL) return Buffer.concat(await Array.fromAsync(request));
    return this.#counted(request);
  }

  async *#counted(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      this.#options.onMoved(chunk.length);
      yield chunk;
    }
  }

  /** Undefined for what is no layer. */
  #sizeOf({ pathname }: URL): number | undefined {
    const digest = pathname.slice(pathname.lastIndexOf('/') + 1);
    return Object.hasOwn(this.#options.blobs, digest) ? this.#options.blobs[digest] : undefined;
  }
}

function chosen({ headers }: IncomingMessage, names: readonly string[]): Record<string, string> {
  const pairs = names.map((name) => [name, headers[name]] as const);
  return Object.fromEntries(pairs.filter((pair): pair is [string, string] => typeof pair[1] === 'string'));
}
