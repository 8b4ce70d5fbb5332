/**
 * podman's REST API on a Unix socket (libpod, https://docs.podman.io/en/v4.3/_static/api.html): what its command line cannot do
 * without a terminal of its own, or does slower.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http';
import type { Socket } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { Duplex, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { answers, ExternalError, hasErrno, isHangUp, type Paths } from '../../platform/index.ts';
import type { Store } from './store.ts';
import { noteNetworks } from './stray-networks.ts';

const PREFIX = '/v4.3.1/libpod';
/** Milliseconds without a request after which podman's service is ended; containers do not depend on it. */
const IDLE = 60_000;
/** Milliseconds for the service to come up. */
const START_LIMIT = 60_000;
/** Milliseconds for the service to end. */
const STOP_LIMIT = 500;

/** podman refused a request, or failed at it: `request` is its method and path, `code` the HTTP status. */
export class PodmanError extends ExternalError {
  readonly code: number;
  constructor(request: readonly string[], code: number, message: string) {
    super(['podman', ...request], null, message, `status ${code}`);
    this.code = code;
  }
}

export function isPodmanError(error: unknown, code?: number): error is PodmanError {
  return error instanceof PodmanError && (code === undefined || error.code === code);
}

export class PodmanApi {
  readonly #paths: Paths;
  readonly #socket: string;
  readonly #log: string;
  readonly #store: Store;
  readonly #idleLimit: number;
  #starting: Promise<void> | undefined;
  #service: ChildProcess | undefined;
  /** Connections to the service. */
  #open = 0;
  #idle: NodeJS.Timeout | undefined;
  #ending: Promise<void> | undefined;

  constructor(paths: Paths, store: Store, idleLimit = IDLE) {
    this.#idleLimit = idleLimit;
    this.#paths = paths;
    // Its own: the service of a server that was killed still listens while it ends, and answers nobody.
    this.#socket = `${paths.podmanSocket}.${randomBytes(4).toString('hex')}`;
    this.#log = join(paths.logs, 'podman.log');
    this.#store = store;
  }

  /** Sends a request, with `body` as JSON where given; answers the parsed JSON, undefined when there is none. */
  async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const answer = await this.text(method, path, text);
    return answer === '' ? undefined : (JSON.parse(answer) as unknown);
  }

  /** The answer to a call as it is: a few are no JSON, whatever their content type says. */
  async text(method: string, path: string, body?: string): Promise<string> {
    const headers = { 'content-type': 'application/json' };
    return readText(await this.#send({ method, path, headers }, (sent) => sent.end(body)));
  }

  /** One header of the answer to HEAD; empty when it is absent. */
  async header(path: string, name: string): Promise<string> {
    const response = await this.#send({ method: 'HEAD', path }, (sent) => sent.end());
    await readText(response);
    return String(response.headers[name] ?? '');
  }

  /** Sends `body` as it comes; fails when it breaks off. */
  async upload(path: string, contentType: string, body: Readable): Promise<void> {
    // Only a request that has not begun may be repeated: be sure that podman listens before the stream is touched.
    await this.#ensureService();
    const headers = { 'content-type': contentType };
    let sending: Promise<void> = Promise.resolve();
    try {
      const response = await this.#send({ method: 'PUT', path, headers }, (sent) => {
        sending = pipeline(body, sent);
        sending.catch(() => {});
      });
      await readText(response);
    } catch (error) {
      // podman's refusal says more than the broken pipe; a body that broke off says more than the connection's end.
      if (!isPodmanError(error)) await sending;
      throw error;
    }
    await sending;
  }

  /** A request that podman answers with a terminal: raw bytes both ways. Ends when the process on it ends. */
  async attach(path: string, body?: unknown): Promise<Duplex> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      ...{ connection: 'Upgrade', upgrade: 'tcp' },
      ...(text && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    };
    const options = { method: 'POST', path, headers };
    return this.#retrying(
      () =>
        new Promise<Duplex>((resolve, reject) => {
          const sent = this.#request(options);
          sent.on('upgrade', (_response: IncomingMessage, socket: Socket, head: Buffer) => {
            if (head.length > 0) socket.unshift(head);
            resolve(new Attachment(socket));
          });
          sent.on('response', (response) => failure(options, response).then(reject, reject));
          sent.on('error', reject);
          sent.end(text);
        }),
    );
  }

  /** Ends the service if we started it, and with it all attachments; containers live on. */
  async close(): Promise<void> {
    clearTimeout(this.#idle);
    await this.#starting?.catch(() => {});
    await this.#ending;
    await this.#endService();
  }

  async #endService(): Promise<void> {
    const service = this.#service;
    if (!service || service.exitCode !== null || service.signalCode !== null) return;
    service.ref();
    const ended = once(service, 'exit');
    service.kill('SIGTERM');
    // It waits for attachments to end, which may be never.
    const timer = setTimeout(() => service.kill('SIGKILL'), STOP_LIMIT);
    await ended;
    clearTimeout(timer);
    await rm(this.#socket, { force: true });
  }

  #send(options: RequestOptions, write: (sent: ClientRequest) => void): Promise<IncomingMessage> {
    return this.#retrying(async () => {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const sent = this.#request(options);
        sent.on('response', resolve);
        sent.on('error', reject);
        write(sent);
      });
      if ((response.statusCode ?? 500) >= 400) throw await failure(options, response);
      return response;
    });
  }

  #request(options: RequestOptions): ClientRequest {
    clearTimeout(this.#idle);
    this.#open += 1;
    const path = `${PREFIX}${options.path}`;
    const sent = request({ ...options, path, socketPath: this.#socket, agent: false });
    sent.once('socket', (socket) => socket.once('close', () => this.#closed()));
    return sent;
  }

  /** We end the service ourselves: it would not see a request that arrives as it ends by itself. */
  #closed(): void {
    this.#open -= 1;
    if (this.#open > 0) return;
    const end = () => {
      // For a request that found none: it comes as soon as the service is up.
      if (this.#starting) return;
      this.#ending = this.#endService().finally(() => {
        this.#ending = undefined;
      });
    };
    this.#idle = setTimeout(end, this.#idleLimit).unref();
  }

  /** Once, starts the service and tries again. */
  async #retrying<T>(act: () => Promise<T>): Promise<T> {
    await this.#ending;
    try {
      return await act();
    } catch (error) {
      if (!hasErrno(error, 'ECONNREFUSED', 'ENOENT')) throw error;
      await this.#ensureService();
      return act();
    }
  }

  #ensureService(): Promise<void> {
    this.#starting ??= this.#startService().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  /** Sockets of services that are gone. */
  async #removeStale(): Promise<void> {
    const folder = dirname(this.#socket);
    const [ours = ''] = basename(this.#socket).split(/\.(?=[^.]*$)/);
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      if (name.startsWith(`${ours}.`) && !(await answers({ path }))) await rm(path, { force: true });
    }
  }

  async #startService(): Promise<void> {
    // One that is ending still answers.
    await this.#ending;
    if (await answers({ path: this.#socket })) return;
    await mkdir(dirname(this.#socket), { recursive: true });
    await mkdir(dirname(this.#log), { recursive: true });
    await this.#removeStale();
    await noteNetworks(this.#paths);
    const { argv, env, cwd } = this.#store.podman(
      'system',
      'service',
      '--time',
      '0',
      `unix://${this.#socket}`,
    );
    // A server that is killed takes the service with it, so that none is left when the platform is stopped.
    const [file, ...args] = ['setpriv', '--pdeathsig', 'TERM', '--', ...argv] as const;
    const log = openSync(this.#log, 'a', 0o640);
    const child = spawn(file, args, {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...env },
      cwd,
    });
    closeSync(log);
    child.unref();
    this.#service = child;
    let ended: string | undefined;
    child.once('error', (error) => {
      ended = error.message;
    });
    child.once('exit', (status) => {
      ended ??= `ended with status ${status}, see ${this.#log}`;
    });
    const limit = Date.now() + START_LIMIT;
    // podman has no way to tell that it listens: ask the socket.
    while (!(await answers({ path: this.#socket }))) {
      if (ended !== undefined || Date.now() > limit) {
        throw new ExternalError(argv, null, ended ?? `does not answer after ${START_LIMIT / 1000} s`);
      }
      await delay(10);
    }
  }
}

/**
 * The terminal of a program. Where the program leaves input unread at its end, the kernel tells a reset in place of an end, after the
 * last byte (unix(7)): that is an end, too.
 */
class Attachment extends Duplex {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    let ended = false;
    const end = () => {
      if (!ended) this.push(null);
      ended = true;
    };
    socket.on('data', (chunk) => {
      if (!this.push(chunk)) socket.pause();
    });
    socket.on('end', end);
    socket.on('error', (error) => (isHangUp(error) ? end() : this.destroy(error)));
    socket.on('close', end);
    socket.pause();
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, encoding, (error) => done(isHangUp(error) ? null : error));
  }

  override _final(done: () => void): void {
    this.#socket.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}

async function failure({ method, path }: RequestOptions, response: IncomingMessage): Promise<PodmanError> {
  const text = await readText(response);
  let message = text;
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer === 'object' && answer !== null && 'message' in answer)
      message = String(answer.message);
  } catch {
    // Not JSON: the text says it.
  }
  // So answers podman 4 of a container that somebody else removes just then.
  const gone = message.trimEnd().endsWith('no such container');
  return new PodmanError([`${method} ${path}`], gone ? 404 : (response.statusCode ?? 0), message.trim());
}

async function readText(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response) text += chunk;
  return text;
}
