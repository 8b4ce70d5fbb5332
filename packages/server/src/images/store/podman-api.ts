/**
 * podman's REST API on a Unix socket (libpod, https://docs.podman.io/en/v4.3/_static/api.html): what its command line cannot do
 * without a terminal of its own, or does slower.
 */
import { type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ExternalError, hasErrno, type Paths } from '../../platform/index.ts';
import { Attachment } from './attachment.ts';
import { PodmanService } from './podman-service.ts';
import type { Store } from './store.ts';

const PREFIX = '/v4.3.1/libpod';
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
  readonly #service: PodmanService;

  constructor(paths: Paths, store: Store, idleLimit?: number) {
    this.#service = new PodmanService(paths, store, idleLimit);
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
    await this.#service.ensure();
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
    await this.#service.close();
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
    const ended = this.#service.use();
    const path = `${PREFIX}${options.path}`;
    const sent = request({ ...options, path, socketPath: this.#service.socket, agent: false });
    sent.once('socket', (socket) => socket.once('close', ended));
    return sent;
  }

  /** Once, starts the service and tries again. */
  async #retrying<T>(act: () => Promise<T>): Promise<T> {
    await this.#service.ended();
    try {
      return await act();
    } catch (error) {
      if (!hasErrno(error, 'ECONNREFUSED', 'ENOENT')) throw error;
      await this.#service.ensure();
      return act();
    }
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
