/** HTTPS to one Redfish service (DSP0266): it is who it should be before it hears the password, and is bounded in bytes and time. */
import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { type Order, RedfishError } from './protocol.ts';
import { isResource, type Resource } from './resource.ts';
import { type Session, sessionOf, sessionsOf } from './session.ts';

const ROOT = '/redfish/v1/';
/** Bytes of a resource: those of real services have some ten thousand. */
const MAX_BODY = 1024 * 1024;
/** A path on that service, as the URI of a resource (DSP0266, "Resource identifier property"); never another host. */
const PATH = /^\/(?!\/)[\x21-\x5b\x5d-\x7e]{0,2000}$/;

/** Sessions that are opened for one act: the first where a name and a password are refused, another where that one was ended. */
const MAX_SESSIONS = 2;
/** Milliseconds for the end of a session. */
const FAREWELL = 3000;

interface Question {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  body?: object | undefined;
}

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export class Service {
  readonly #order: Order;
  readonly #signal: AbortSignal;
  /** Those that were opened; the last one counts. */
  readonly #sessions: Session[] = [];

  constructor(order: Order, signal: AbortSignal) {
    this.#order = order;
    this.#signal = signal;
  }

  /** Throws RedfishError. */
  async get(path: unknown): Promise<Resource> {
    const { text } = await this.#ask('GET', path);
    const resource = parsed(text);
    if (resource) return resource;
    throw new RedfishError('absurd', `answers ${String(path)} with something that is no resource.`);
  }

  /** Throws RedfishError. What it answers is not looked at. */
  async post(path: unknown, body: object): Promise<void> {
    await this.#ask('POST', path, body);
  }

  /** Ends what was opened: services have room for a few sessions, and keep one for half an hour that nobody ends. */
  async close(): Promise<void> {
    const proof = this.#proof();
    const signal = AbortSignal.timeout(FAREWELL);
    for (const { path } of this.#sessions.splice(0)) {
      if (path === undefined || !PATH.test(path)) continue;
      // What was asked for is done or told. A session that is left has an end of its own.
      await this.#exchange({ method: 'DELETE', path }, proof, signal).catch(() => {});
    }
  }

  async #ask(method: Question['method'], path: unknown, body?: object): Promise<Answer> {
    const question = { method, path: checked(path), body };
    let answer = await this.#exchange(question, this.#proof());
    while (answer.status === 401 && this.#sessions.length < MAX_SESSIONS) {
      this.#sessions.push(await this.#open());
      answer = await this.#exchange(question, this.#proof());
    }
    return succeeded(answer, question.path);
  }

  /** DSP0266, "Redfish session login authentication". Some services take nothing else. */
  async #open(): Promise<Session> {
    const { user, password } = this.#order;
    // The root is for everybody.
    const root = parsed((await this.#exchange({ method: 'GET', path: ROOT }, {})).text);
    const path = checked(sessionsOf(root));
    const body = { UserName: user, Password: password };
    const answer = await this.#exchange({ method: 'POST', path, body }, {});
    // It has no sessions at all.
    if (answer.status === 404 || answer.status === 405) throw refused();
    const { headers, text } = succeeded(answer, path);
    return sessionOf(headers, parsed(text));
  }

  #proof(): OutgoingHttpHeaders {
    const session = this.#sessions.at(-1);
    if (session) return { 'x-auth-token': session.token };
    const { user, password } = this.#order;
    return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` };
  }

  async #exchange(question: Question, proof: OutgoingHttpHeaders, signal = this.#signal): Promise<Answer> {
    try {
      const answer = await this.#send(question, proof, signal);
      return { status: answer.statusCode ?? 0, headers: answer.headers, text: await bodyOf(answer) };
    } catch (error) {
      if (error instanceof RedfishError) throw error;
      const reason = signal.aborted ? 'it takes too long' : wordsOf(error);
      throw new RedfishError('silent', `does not answer at ${this.#order.host}: ${reason}.`);
    }
  }

  async #send(
    { method, path, body }: Question,
    proof: OutgoingHttpHeaders,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const { host, port } = this.#order;
    const socket = await this.#connect(signal);
    const text = body && JSON.stringify(body);
    const asking = request({
      ...{ method, path, createConnection: () => socket, signal },
      headers: {
        ...{ host: `${isIP(host) === 6 ? `[${host}]` : host}:${port}`, ...proof },
        ...{ accept: 'application/json', 'odata-version': '4.0', connection: 'close' },
        ...(text !== undefined && {
          ...{ 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
        }),
      },
    });
    // What ends the connection after the head is told by the body.
    asking.on('error', () => {});
    asking.end(text);
    const [answer] = (await once(asking, 'response')) as [IncomingMessage];
    return answer;
  }

  async #connect(signal: AbortSignal): Promise<TLSSocket> {
    const { host, port, authority, fingerprint } = this.#order;
    const socket = connect({
      ...{ host, port, rejectUnauthorized: false, servername: isIP(host) ? '' : host },
      ...(authority !== null && { ca: authority }),
    });
    try {
      await once(socket, 'secureConnect', { signal });
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

function succeeded(answer: Answer, path: string): Answer {
  const { status, text } = answer;
  if (status >= 200 && status < 300) return answer;
  // DSP0266 lets a service send its clients elsewhere; ours would take the password along.
  if (status >= 300 && status < 400) throw new RedfishError('redirect', `sends us elsewhere from ${path}.`);
  if (status === 401 || status === 403) throw refused();
  throw new RedfishError('refused', `refuses ${path} (HTTP ${status}${reasonIn(text)}).`);
}

function refused(): RedfishError {
  return new RedfishError('password', 'does not let us in.');
}

function checked(path: unknown): string {
  if (typeof path === 'string' && PATH.test(path)) return path;
  throw new RedfishError('absurd', 'names a resource that is not on itself.');
}

/** Undefined: it is no resource. */
function parsed(text: string): Resource | undefined {
  try {
    const resource: unknown = JSON.parse(text);
    return isResource(resource) ? resource : undefined;
  } catch {
    return undefined;
  }
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
