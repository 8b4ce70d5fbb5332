/** HTTP requests on the server's Unix socket, for RPC calls and plain bodies alike. */
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import http from 'node:http';
import type { Readable } from 'node:stream';
import type { ClientContext } from '@orpc/client';
import type { StandardLinkClient } from '@orpc/client/standard';
import { AbortError, hasCode, hintOf, isRecord } from './errors.ts';

export interface HttpRequest {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string | Readable | undefined;
  signal?: AbortSignal | undefined;
}

/** Who the client is; `renew` asks the server again after it refused the token. */
export interface Credentials {
  token(): Promise<string>;
  renew(): Promise<string>;
}

/**
 * Node's agent asks of each request's host whether it is an IP address, to find a TLS server name; compiling the
 * regular expression for that takes 9 ms. A server name that is given, if empty, spares it.
 */
const NO_SERVER_NAME = { servername: '' };

/** Sends one request; resolves with the head of the answer. Throws AbortError when there is no server. */
export function send(socketPath: string, request: HttpRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { method, path, headers, body, signal } = request;
    const options = { socketPath, method, path, headers, ...NO_SERVER_NAME, ...(signal && { signal }) };
    const outgoing = http.request(options, resolve);
    outgoing.on('error', (error) => reject(connectionError(error, socketPath)));
    write(outgoing, body);
  });
}

function write(outgoing: ClientRequest, body: string | Readable | undefined): void {
  if (body === undefined || typeof body === 'string') {
    outgoing.end(body);
    return;
  }
  // It may have failed already, while something else was asked of the server.
  if (body.errored) outgoing.destroy(body.errored);
  body.on('error', (error) => outgoing.destroy(error));
  body.pipe(outgoing);
}

/** The user's view of a socket error. */
export function connectionError(error: Error, socketPath: string): Error {
  if (hasCode(error, 'ENOENT') || hasCode(error, 'ECONNREFUSED')) {
    return new AbortError(
      'UNAVAILABLE',
      `Cannot reach the WalT server at ${socketPath}.`,
      'Start it with `sudo ./walt-server start`, or set WALT_SOCKET to the socket of another one.',
    );
  }
  if (hasCode(error, 'EACCES')) {
    return new AbortError(
      'FORBIDDEN',
      `You may not open the WalT server's socket ${socketPath}.`,
      'Ask its administrator to let you in.',
    );
  }
  if (hasCode(error, 'ECONNRESET') || hasCode(error, 'EPIPE')) return connectionLost();
  return error;
}

/** Sends with the caller's token; once more with a new one when the server does not accept it. */
export async function sendAs(
  socketPath: string,
  credentials: Credentials,
  request: HttpRequest,
): Promise<IncomingMessage> {
  const withToken = (token: string): HttpRequest => ({
    ...request,
    headers: { ...request.headers, authorization: `Bearer ${token}` },
  });
  const response = await send(socketPath, withToken(await credentials.token()));
  if (response.statusCode !== 401 || isStream(request.body)) return response;
  response.resume();
  return send(socketPath, withToken(await credentials.renew()));
}

/** A body that was read once cannot be sent again. */
function isStream(body: HttpRequest['body']): body is Readable {
  return body !== undefined && typeof body !== 'string';
}

/** How oRPC's client reaches the server. Without credentials only `auth` calls are answered. */
export class SocketLinkClient implements StandardLinkClient<ClientContext> {
  readonly #socketPath: string;
  readonly #credentials: Credentials | undefined;

  constructor(socketPath: string, credentials?: Credentials) {
    this.#socketPath = socketPath;
    this.#credentials = credentials;
  }

  async call(
    ...[request]: Parameters<StandardLinkClient<ClientContext>['call']>
  ): ReturnType<StandardLinkClient<ClientContext>['call']> {
    const text = request.body === undefined ? undefined : JSON.stringify(request.body);
    const sent: HttpRequest = {
      method: request.method,
      path: request.url.pathname + request.url.search,
      headers: {
        ...(text !== undefined && {
          'content-type': 'application/json',
          'content-length': String(Buffer.byteLength(text)),
        }),
      },
      body: text,
      signal: request.signal,
    };
    const response = this.#credentials
      ? await sendAs(this.#socketPath, this.#credentials, sent)
      : await send(this.#socketPath, sent);
    // Read here: what fails in `body` would reach the user in oRPC's words.
    const body = await readBody(response, this.#socketPath);
    // What a call answers lies in `json`; without it, no call was reached.
    const refusal = isRecord(body) && !('json' in body) ? refusalOf(body) : undefined;
    if (refusal) throw refusal;
    return {
      status: response.statusCode ?? 500,
      headers: response.headers as IncomingHttpHeaders,
      body: async () => body,
    };
  }
}

async function readBody(response: IncomingMessage, socketPath: string): Promise<unknown> {
  if (response.headers['content-type']?.startsWith('text/event-stream')) {
    const { readEvents } = await import('./events.ts');
    return readEvents(response, socketPath);
  }
  let text: string;
  try {
    text = await readText(response);
  } catch (error) {
    throw error instanceof Error ? connectionError(error, socketPath) : error;
  }
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    throw foreign(socketPath);
  }
}

/** What a refusal says that is no answer to a call: to a plain request, to a stream, or to any of them at a full server. */
export async function responseError(response: IncomingMessage, socketPath: string): Promise<Error> {
  return refusalOf(await readBody(response, socketPath)) ?? foreign(socketPath);
}

function refusalOf(body: unknown): AbortError | undefined {
  if (!isRecord(body) || typeof body.code !== 'string') return undefined;
  return new AbortError(body.code, String(body.message), hintOf(body.data));
}

function foreign(socketPath: string): AbortError {
  return new AbortError(
    'UNAVAILABLE',
    `What answers at ${socketPath} is no WalT server of this version.`,
    'See `sudo ./walt-server status`.',
  );
}

export function connectionLost(): AbortError {
  return new AbortError(
    'UNAVAILABLE',
    'The connection to the WalT server was lost.',
    'See `sudo ./walt-server status`, then repeat the command.',
  );
}

/** The whole body as text. */
export async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  return new Promise((resolve, reject) => {
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    response.on('error', reject);
  });
}
