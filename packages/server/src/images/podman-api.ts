/**
 * podman's REST API on a Unix socket (libpod, https://docs.podman.io/en/v4.3/_static/api.html): what its command line cannot do
 * without a terminal of its own, or does slower.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { ExternalError, hasErrno, type Paths } from '../platform/index.ts';
import type { Store } from './store.ts';

const PREFIX = '/v4.3.1/libpod';
/** Seconds without a request after which podman's service ends; containers do not depend on it. */
const IDLE = 60;
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
  readonly #socket: string;
  readonly #log: string;
  readonly #store: Store;
  #starting: Promise<void> | undefined;
  #service: ChildProcess | undefined;

  constructor(paths: Paths, store: Store) {
    this.#socket = paths.podmanSocket;
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

  /** Joins a container's terminal: raw bytes both ways. Ends when the container's process ends. */
  async attach(container: string): Promise<Duplex> {
    const query = 'stream=true&stdin=true&stdout=true&stderr=true&detachKeys=';
    const options = {
      method: 'POST',
      path: `/containers/${encodeURIComponent(container)}/attach?${query}`,
      headers: { connection: 'Upgrade', upgrade: 'tcp' },
    };
    return this.#retrying(
      () =>
        new Promise<Duplex>((resolve, reject) => {
          const sent = this.#request(options);
          sent.on('upgrade', (_response: IncomingMessage, socket: Socket, head: Buffer) => {
            if (head.length > 0) socket.unshift(head);
            resolve(socket);
          });
          sent.on('response', (response) => failure(options, response).then(reject, reject));
          sent.on('error', reject);
          sent.end();
        }),
    );
  }

  /** Ends the service if we started it, and with it all attachments; containers live on. */
  async close(): Promise<void> {
    await this.#starting?.catch(() => {});
    const service = this.#service;
    if (!service || service.exitCode !== null || service.signalCode !== null) return;
    service.ref();
    const ended = once(service, 'exit');
    service.kill('SIGTERM');
    // It waits for attachments to end, which may be never.
    const timer = setTimeout(() => service.kill('SIGKILL'), STOP_LIMIT);
    await ended;
    clearTimeout(timer);
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
    return request({ ...options, path: `${PREFIX}${options.path}`, socketPath: this.#socket, agent: false });
  }

  /** The service ends when it is idle: once, start it and try again. */
  async #retrying<T>(act: () => Promise<T>): Promise<T> {
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

  async #startService(): Promise<void> {
    if (await answers(this.#socket)) return;
    await mkdir(dirname(this.#socket), { recursive: true });
    await mkdir(dirname(this.#log), { recursive: true });
    await rm(this.#socket, { force: true });
    const { argv, env } = this.#store.podman(
      'system',
      'service',
      '--time',
      String(IDLE),
      `unix://${this.#socket}`,
    );
    // A server that is killed takes the service with it, so that none is left when the platform is stopped.
    const [file, ...args] = ['setpriv', '--pdeathsig', 'TERM', '--', ...argv] as const;
    const log = openSync(this.#log, 'a', 0o640);
    const child = spawn(file, args, {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...env },
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
    while (!(await answers(this.#socket))) {
      if (ended !== undefined || Date.now() > limit) {
        throw new ExternalError(argv, null, ended ?? `does not answer after ${START_LIMIT / 1000} s`);
      }
      await delay(10);
    }
  }
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    const settle = (alive: boolean) => {
      connection.destroy();
      resolve(alive);
    };
    connection.on('connect', () => settle(true));
    connection.on('error', () => settle(false));
  });
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
  return new PodmanError([`${method} ${path}`], response.statusCode ?? 0, message.trim());
}

async function readText(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8');
  let text = '';
  for await (const chunk of response) text += chunk;
  return text;
}
