/** The way to a registry: proves who asks, follows where that is safe, and waits for nobody for ever. */
import { lookup as resolve } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import * as http from 'node:http';
import * as https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { createSecureContext } from 'node:tls';
import { isInternal } from './addresses.ts';
import { belongs, isDowngrade } from './belonging.ts';
import { GateError } from './failure.ts';
import { within } from './patience.ts';
import type { Order } from './protocol.ts';
import { Tokens } from './tokens.ts';

/** As many as containers/image follows. */
const MAX_REDIRECTS = 10;
/** What Debian's programs trust. */
const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';
/** Connections to one host. */
const MAX_CONNECTIONS = 12;
/** Bytes of all headers of an answer. */
const MAX_HEADERS = 16 * 1024;

/** Whether the administrator has the server ask through a proxy. */
const PROXIED = ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'].some((name) => process.env[name]);

export interface Request {
  method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT';
  url: URL;
  headers?: Readonly<Record<string, string>>;
  /** What is no Buffer can be sent once only. */
  body?: Buffer | AsyncIterable<Buffer> | undefined;
  /** Names what a token is good for: those who read need no right to write. */
  purpose: string;
}

export class Upstream {
  readonly #order: Order;
  readonly #tokens: Tokens;
  readonly #agents: { 'http:': http.Agent; 'https:': https.Agent };

  constructor(order: Order) {
    this.#order = order;
    this.#tokens = new Tokens(order, (url, headers) => this.#send({ method: 'GET', url, headers }));
    const proxyEnv = PROXIED ? process.env : undefined;
    const common = { keepAlive: true, maxSockets: MAX_CONNECTIONS, ...(proxyEnv && { proxyEnv }) };
    const ca = [order.authority, readIfPresent(AUTHORITIES)].filter((text) => text !== null);
    const secureContext = ca.length === 0 ? undefined : createSecureContext({ ca });
    this.#agents = {
      'http:': new http.Agent(common),
      'https:': new https.Agent({ ...common, ...(secureContext && { secureContext }) }),
    };
  }

  /** Asks the registry, logs in where it wants that, and follows where it leads. The answer's body is still to be read. Throws. */
  async ask(request: Request): Promise<http.IncomingMessage> {
    let { url } = request;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
      const response = await this.#askHere({ ...request, url });
      const { statusCode: status = 0, headers } = response;
      const { location } = headers;
      if (status < 300 || status > 399 || location === undefined) return response;
      response.destroy();
      if (request.body !== undefined) throw new GateError('bad-answer', `redirect, ${status}`);
      url = this.follow(location, url);
    }
    throw new GateError('circles');
  }

  /** Where a registry leads from `from`. Throws GateError where that is nowhere, or less safe. */
  follow(location: string, from: URL): URL {
    if (!URL.canParse(location, from.href)) throw new GateError('bad-answer', 'location');
    const url = new URL(location, from);
    if (isDowngrade(url, this.#order.origin)) throw new GateError('downgrade', url.host);
    return url;
  }

  async #askHere(request: Request): Promise<http.IncomingMessage> {
    const { url, purpose, body } = request;
    // What proves who we are is for the registry itself, not for where it leads.
    if (url.origin !== this.#order.origin) return this.#send(request);
    const again = body === undefined || Buffer.isBuffer(body);
    const known = again ? this.#tokens.header(purpose) : await this.#tokens.freshHeader(purpose);
    const response = await this.#send({ ...request, ...withAuthorization(request, known) });
    if (response.statusCode !== 401) return response;
    if (!again || !(await this.#tokens.answer(response.headers['www-authenticate'], purpose, known))) {
      return response;
    }
    response.destroy();
    return this.#send({ ...request, ...withAuthorization(request, this.#tokens.header(purpose)) });
  }

  /** One request and its answer, whatever it is. */
  async #send({ method, url, headers, body }: Omit<Request, 'purpose'>): Promise<http.IncomingMessage> {
    const { silence } = this.#order;
    const trusted = belongs(url, this.#order);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    // Names are looked up under the guard of `lookup`; addresses never are.
    if (!trusted && isIP(host) !== 0 && isInternal(host)) throw new GateError('internal-address', url.host);
    if (!trusted && PROXIED) await requireOutside(host);
    const options = {
      ...{ method, headers: { 'user-agent': 'walt', ...headers }, maxHeaderSize: MAX_HEADERS },
      ...{ agent: this.#agents[url.protocol === 'http:' ? 'http:' : 'https:'] },
      ...(!trusted && !PROXIED && { lookup: guardedLookup }),
    };
    const request = url.protocol === 'http:' ? http.request(url, options) : https.request(url, options);
    // It may fail before anybody waits for it, and once more when the answer has begun: who reads that hears of it.
    request.on('error', () => {});
    const answered = once(request, 'response') as Promise<[http.IncomingMessage]>;
    answered.catch(() => {});
    try {
      if (body === undefined || Buffer.isBuffer(body)) request.end(body);
      else await sendBody(request, body, { answered, silence, host: url.host });
      const [response] = await within(answered, silence, url.host);
      response.on('error', () => {});
      return response;
    } catch (error) {
      request.destroy();
      throw GateError.of(error, url.host);
    }
  }
}

/** Sends a body as it comes. One that the registry does not want to its end is not read to its end. */
async function sendBody(
  request: http.ClientRequest,
  body: AsyncIterable<Buffer>,
  { answered, silence, host }: { answered: Promise<unknown>; silence: number; host: string },
): Promise<void> {
  let early = false;
  const noteEarly = () => {
    early = true;
  };
  answered.then(noteEarly, noteEarly);
  for await (const chunk of body) {
    if (early) break;
    if (request.write(chunk)) continue;
    await within(Promise.race([once(request, 'drain'), answered]), silence, host);
  }
  if (!early) request.end();
}

/** Looks a name up as every connection does, and refuses it when it leads to an address of this machine or its networks. */
const guardedLookup: LookupFunction = (name, options, done) => {
  resolve(name, { ...options, all: true }, (error, addresses) => {
    const [first] = addresses ?? [];
    const inside = addresses?.some(({ address }) => isInternal(address));
    if (error || !first) done(error ?? new GateError('no-such-host', name), '');
    else if (inside) done(new GateError('internal-address', name), '');
    else if (options.all) done(null, addresses);
    else done(null, first.address, first.family);
  });
};

/** Where a proxy connects for us, names that lead inside are refused beforehand; what only the proxy knows is its own affair. */
async function requireOutside(host: string): Promise<void> {
  const found = await lookup(host, { all: true }).catch(() => []);
  if (found.some(({ address }) => isInternal(address))) throw new GateError('internal-address', host);
}

function withAuthorization(
  { headers }: Request,
  authorization: string | undefined,
): { headers: Record<string, string> } {
  return { headers: { ...headers, ...(authorization !== undefined && { authorization }) } };
}

function readIfPresent(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
