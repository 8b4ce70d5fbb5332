/** HTTPS to one Redfish service (DSP0266): it is who it should be before it hears the password, and is bounded in bytes and time. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { type Order, RedfishError } from './protocol.ts';

/** Bytes of a resource: those of real services have some ten thousand. */
const MAX_BODY = 1024 * 1024;
/** A path on that service, as the URI of a resource (DSP0266, "Resource identifier property"); never another host. */
const PATH = /^\/(?!\/)[\x21-\x5b\x5d-\x7e]{0,2000}$/;

export type Resource = Readonly<Record<string, unknown>>;

export class Service {
  readonly #order: Order;
  readonly #signal: AbortSignal;

  constructor(order: Order, signal: AbortSignal) {
    this.#order = order;
    this.#signal = signal;
  }

  /** Throws RedfishError. */
  async get(path: unknown): Promise<Resource> {
    const text = await this.#ask('GET', path);
    try {
      const resource: unknown = JSON.parse(text);
      if (isResource(resource)) return resource;
    } catch {
      // It is told below.
    }
    throw new RedfishError('absurd', `answers ${String(path)} with something that is no resource.`);
  }

  /** Throws RedfishError. What it answers is not looked at. */
  async post(path: unknown, body: object): Promise<void> {
    await this.#ask('POST', path, JSON.stringify(body));
  }

  async #ask(method: 'GET' | 'POST', path: unknown, body?: string): Promise<string> {
    if (typeof path !== 'string' || !PATH.test(path))
      throw new RedfishError('absurd', 'names a resource that is not on itself.');
    try {
      const answer = await this.#send(method, path, body);
      const text = await bodyOf(answer);
      requireSuccess(answer.statusCode ?? 0, path, text);
      return text;
    } catch (error) {
      if (error instanceof RedfishError) throw error;
      const reason = this.#signal.aborted ? 'it takes too long' : wordsOf(error);
      throw new RedfishError('silent', `does not answer at ${this.#order.host}: ${reason}.`);
    }
  }

  async #send(method: string, path: string, body: string | undefined): Promise<IncomingMessage> {
    const { host, port, user, password } = this.#order;
    const socket = await this.#connect();
    const asking = request({
      ...{ method, path, createConnection: () => socket, signal: this.#signal },
      headers: {
        host: `${isIP(host) === 6 ? `[${host}]` : host}:${port}`,
        authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
        ...{ accept: 'application/json', 'odata-version': '4.0', connection: 'close' },
        ...(body !== undefined && {
          ...{ 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
        }),
      },
    });
    // What ends the connection after the head is told by the body.
    asking.on('error', () => {});
    asking.end(body);
    const [answer] = (await once(asking, 'response')) as [IncomingMessage];
    return answer;
  }

  async #connect(): Promise<TLSSocket> {
    const { host, port, authority, fingerprint } = this.#order;
    const socket = connect({
      ...{ host, port, rejectUnauthorized: false, servername: isIP(host) ? '' : host },
      ...(authority !== null && { ca: authority }),
    });
    try {
      await once(socket, 'secureConnect', { signal: this.#signal });
      const reason =
        fingerprint === null
          ? socket.authorizationError
          : socket.getPeerX509Certificate()?.fingerprint256 !== fingerprint && 'it has another fingerprint';
      if (reason) throw new RedfishError('certificate', `has a certificate that is not trusted: ${reason}.`);
      return socket;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }
}

async function bodyOf(answer: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY) throw new RedfishError('absurd', `answers with more than ${MAX_BODY} bytes.`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function requireSuccess(status: number, path: string, text: string): void {
  if (status >= 200 && status < 300) return;
  // DSP0266 lets a service send its clients elsewhere; ours would take the password along.
  if (status >= 300 && status < 400) throw new RedfishError('redirect', `sends us elsewhere from ${path}.`);
  if (status === 401 || status === 403) throw new RedfishError('password', 'does not let us in.');
  throw new RedfishError('refused', `refuses ${path} (HTTP ${status}${reasonIn(text)}).`);
}

/** The service's own words (DSP0266, "Error responses"): one line, made safe to print. */
function reasonIn(text: string): string {
  try {
    const { error } = JSON.parse(text) as {
      error?: { message?: unknown; '@Message.ExtendedInfo'?: unknown };
    };
    const info = error?.['@Message.ExtendedInfo'];
    const [first] = Array.isArray(info) ? (info as { Message?: unknown }[]) : [];
    const words = first?.Message ?? error?.message;
    return typeof words === 'string'
      ? `: ${words.replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '?').slice(0, 200)}`
      : '';
  } catch {
    return '';
  }
}

function wordsOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code || (error instanceof Error ? error.message : String(error));
}

export function isResource(value: unknown): value is Resource {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
