/** HTTP requests to the server, for RPC calls and plain bodies alike. */
import type { Agent, ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import http from 'node:http';
import type { Readable } from 'node:stream';
import type { ClientContext } from '@orpc/client';
import type { StandardLinkClient } from '@orpc/client/standard';
import { CONTRACT_HEADER, CONTRACT_TEXT } from '@walt/contract/values/version';
import { AbortError, hintOf, isRecord } from './errors.ts';
import { otherMajor, unknownCall } from './versions.ts';

/** The way to one server. */
export interface Route {
  /** As messages name it: the path of a socket, or a URL. */
  name: string;
  /** What Node.js's HTTP client connects by. */
  options: { socketPath: string } | { agent: Agent };
  /** The user's view of a socket error. */
  failure: (error: Error) => Error;
  /** What to tell when a connection ended too early, without an error. */
  lost: () => AbortError;
}

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
export function send(route: Route, request: HttpRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { method, path, body, signal } = request;
    const headers = { ...request.headers, [CONTRACT_HEADER]: CONTRACT_TEXT };
    const where = { ...route.options, method, path, headers, ...NO_SERVER_NAME };
    const outgoing = http.request({ ...where, ...(signal && { signal }) }, (response) => {
      const other = otherMajor(response.headers[CONTRACT_HEADER], route.name);
      if (!other) return resolve(response);
      response.destroy();
      reject(other);
    });
    outgoing.on('error', (error) => reject(route.failure(error)));
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
  // With its head, the server waits for what may be long in coming; without, it closes a connection that says nothing.
  outgoing.flushHeaders();
  body.pipe(outgoing);
}

/** Sends with the caller's token; once more with a new one when the server does not accept it. */
export async function sendAs(
  route: Route,
  credentials: Credentials,
  request: HttpRequest,
): Promise<IncomingMessage> {
  const withToken = (token: string): HttpRequest => ({
    ...request,
    headers: { ...request.headers, authorization: `Bearer ${token}` },
  });
  const response = await send(route, withToken(await credentials.token()));
  if (response.statusCode !== 401 || isStream(request.body)) return response;
  response.resume();
  return send(route, withToken(await credentials.renew()));
}

/** A body that was read once cannot be sent again. */
function isStream(body: HttpRequest['body']): body is Readable {
  return body !== undefined && typeof body !== 'string';
}

/** How oRPC's client reaches the server. Without credentials only `auth` calls are answered. */
export class ServerLinkClient implements StandardLinkClient<ClientContext> {
  readonly #route: Route;
  readonly #credentials: Credentials | undefined;

  constructor(route: Route, credentials?: Credentials) {
    this.#route = route;
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
      ? await sendAs(this.#route, this.#credentials, sent)
      : await send(this.#route, sent);
    // Read here: what fails in `body` would reach the user in oRPC's words.
    const body = await readBody(response, this.#route);
    // What a call answers lies in `json`; without it, no call was reached.
    const refusal = isRecord(body) && !('json' in body) ? refusalOf(body) : undefined;
    const { path } = sent;
    if (refusal) throw unknownCall(refusal, { path, header: response.headers[CONTRACT_HEADER] }) ?? refusal;
    return {
      status: response.statusCode ?? 500,
      headers: response.headers as IncomingHttpHeaders,
      body: async () => body,
    };
  }
}

async function readBody(response: IncomingMessage, route: Route): Promise<unknown> {
  if (response.headers['content-type']?.startsWith('text/event-stream')) {
    const { readEvents } = await import('./events.ts');
    return readEvents(response, route);
  }
  let text: string;
  try {
    text = await readText(response);
  } catch (error) {
    throw error instanceof Error ? route.failure(error) : error;
  }
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    throw foreign(route);
  }
}

/** What a refusal says that is no answer to a call: to a plain request, to a stream, or to any of them at a full server. */
export async function responseError(response: IncomingMessage, route: Route): Promise<Error> {
  return refusalOf(await readBody(response, route)) ?? foreign(route);
}

function refusalOf(body: unknown): AbortError | undefined {
  if (!isRecord(body) || typeof body.code !== 'string') return undefined;
  return new AbortError(body.code, String(body.message), hintOf(body.data));
}

/** An object that a server told as JSON. Throws AbortError for anything else: words of it may be in what JSON.parse throws. */
export function parseRecord(text: string, route: Route): Record<string, unknown> {
  let told: unknown;
  try {
    told = JSON.parse(text);
  } catch {
    throw foreign(route);
  }
  if (!isRecord(told)) throw foreign(route);
  return told;
}

function foreign({ name }: Route): AbortError {
  return new AbortError(
    'UNAVAILABLE',
    `What answers at ${name} is no WalT server of this version.`,
    'See `sudo walt-server status`.',
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
