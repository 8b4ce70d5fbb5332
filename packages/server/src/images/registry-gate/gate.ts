/** The server's side of the gate: starts the program, asks it, and tells users what went wrong. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { hubRepository } from '@walt/contract';
import { ExternalError, projectFile, type StreamedProgram, streamProgram } from '../../platform/index.ts';
import type { HostCommand } from '../types.ts';
import { failureOfStatus, GateError } from './failure.ts';
import {
  type Answer,
  type Failure,
  MANIFEST_TYPES,
  type Message,
  type Order,
  type Question,
  SMALL,
} from './protocol.ts';
import { explainFailure } from './registry-failure.ts';

/** A registry as one user meets it. */
export interface RegistryAccess extends Omit<Order, 'silence'> {
  label: string;
  /** `host` or `host:port`, as users know it. */
  host: string;
  /** A folder of the platform's: tells whose program it is, where processes are listed. */
  platform: string;
  /** Default: two minutes. */
  silence?: number;
}

/** Where a program finds the registry behind the gate, and what to show there. */
export interface GateDoor {
  /** `host:port/repository`, without TLS. */
  name: string;
  /** Content of a containers-auth.json(5). */
  logins: string;
}

const SILENCE = 120_000;
/** Bytes of a line of the gate: a small answer in base64. */
const MAX_LINE = 2 * SMALL;

type Told = { answer: Answer } | { port: number } | { failed: Failure | null };

/**
 * Asks one registry in the name of one user. What it answers is bounded in bytes and time, and never leads us to our own networks.
 * Disposing it ends all that it does. Methods throw UserError where the registry or the way to it is at fault.
 */
export class RegistryGate implements AsyncDisposable {
  readonly access: RegistryAccess;
  readonly #program: StreamedProgram;
  readonly #waiting = new Map<number, PromiseWithResolvers<Told>>();
  readonly #ended: Promise<void>;
  #asked = 0;
  #moved = 0;
  #over: { reason: unknown } | undefined;

  constructor(access: RegistryAccess, host: HostCommand, signal?: AbortSignal) {
    this.access = access;
    this.#program = streamProgram(host([process.execPath, programFile(), access.platform]), {
      ...{ stdin: 'pipe', signal },
    });
    this.#ended = this.#listen();
    const { origin, searchOrigin, credentials, authority, otherHosts, silence = SILENCE } = access;
    const order: Order = { origin, searchOrigin, credentials, authority, otherHosts, silence };
    this.#say(order);
  }

  /** Bytes of layers that have come or gone. */
  get moved(): number {
    return this.#moved;
  }

  /** Text of a manifest or index, as the registry sends it. */
  async manifest(repository: string, reference: string): Promise<string> {
    const { body } = await this.#get(`/v2/${this.#there(repository)}/manifests/${reference}`, {
      ...{ accept: MANIFEST_TYPES, what: `${repository}${separator(reference)}${reference}` },
    });
    return Buffer.from(body, 'base64').toString('utf8');
  }

  /** Text of a small blob, as the registry sends it. */
  async blob(repository: string, digest: string): Promise<string> {
    const what = `${repository}@${digest}`;
    const { body } = await this.#get(`/v2/${this.#there(repository)}/blobs/${digest}`, {
      accept: '*/*',
      what,
    });
    return Buffer.from(body, 'base64').toString('utf8');
  }

  /** A JSON document of the registry, and where its next page is. `what` is for messages; undefined: the registry itself. */
  async json(path: string, what?: string): Promise<{ data: unknown; next: string | undefined }> {
    const { body, link } = await this.#get(path, { accept: 'application/json', what });
    try {
      return { data: JSON.parse(Buffer.from(body, 'base64').toString('utf8')), next: nextPage(link) };
    } catch {
      throw this.#explain({ kind: 'bad-answer', detail: 'JSON' }, what);
    }
  }

  /** True when the registry accepts who asks, or wants to know nobody. */
  async accepts(): Promise<boolean> {
    try {
      await this.#request('/v2/', '*/*');
      return true;
    } catch (error) {
      if (error instanceof GateError && error.failure.kind === 'unauthorized') return false;
      throw this.#explained(error);
    }
  }

  /** Lets a program copy one repository. `blobs`: bytes of the layers that it may fetch, by digest. */
  async open(repository: string, blobs: Readonly<Record<string, number>> = {}): Promise<GateDoor> {
    const secret = randomBytes(24).toString('hex');
    const there = this.#there(repository);
    const told = await this.#ask({ open: { repository: there, secret, blobs } });
    if (!('port' in told)) throw new TypeError('the gate has no port');
    const address = `127.0.0.1:${told.port}`;
    const auth = Buffer.from(`walt:${secret}`).toString('base64');
    return { name: `${address}/${there}`, logins: JSON.stringify({ auths: { [address]: { auth } } }) };
  }

  /** Why the program behind the door failed, where it was not by its own fault. */
  async failure(what: string): Promise<Error | undefined> {
    const told = await this.#ask({ failed: true });
    return 'failed' in told && told.failed ? this.#explain(told.failed, what) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#program.kill();
    await this.#ended;
  }

  #there(repository: string): string {
    const isHub = this.access.searchOrigin !== null;
    return isHub ? hubRepository(repository) : repository;
  }

  async #get(path: string, { accept, what }: { accept: string; what?: string | undefined }): Promise<Answer> {
    try {
      return await this.#request(path, accept);
    } catch (error) {
      throw this.#explained(error, what);
    }
  }

  /** Throws GateError, also for a status that is none of success. */
  async #request(path: string, accept: string): Promise<Answer> {
    const told = await this.#ask({ get: path, accept, limit: SMALL });
    if (!('answer' in told)) throw new TypeError('the gate answers something else');
    const failure = failureOfStatus(told.answer.status);
    if (failure) throw new GateError(failure.kind, failure.detail);
    return told.answer;
  }

  async #ask(question: OmitId<Question>): Promise<Told> {
    if (this.#over) throw this.#over.reason;
    const id = this.#asked++;
    const waiting = Promise.withResolvers<Told>();
    this.#waiting.set(id, waiting);
    this.#say({ id, ...question });
    return waiting.promise;
  }

  async #listen(): Promise<void> {
    let reason: unknown = new ExternalError(['registry-gate'], null, 'it ended');
    try {
      for await (const line of linesOf(this.#program.stdout)) this.#hear(JSON.parse(line) as Message);
    } catch (error) {
      reason = error;
    }
    this.#over = { reason };
    this.#program.kill();
    for (const { reject } of this.#waiting.values()) reject(reason);
  }

  #hear(message: Message): void {
    if ('moved' in message) this.#moved = message.moved;
    else {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if ('failure' in message) waiting?.reject(new GateError(message.failure.kind, message.failure.detail));
      else waiting?.resolve(message);
    }
  }

  #explained(error: unknown, what?: string): unknown {
    return error instanceof GateError ? this.#explain(error.failure, what) : error;
  }

  #explain(failure: Failure, what: string | undefined): Error {
    const { label, host } = this.access;
    return explainFailure(failure, { label, host, what });
  }

  #say(message: Order | Question): void {
    this.#program.stdin.write(`${JSON.stringify(message)}\n`);
  }
}

type OmitId<T> = T extends unknown ? Omit<T, 'id'> : never;

function separator(reference: string): string {
  return reference.includes(':') ? '@' : ':';
}

/** The program beside us: a source for tests, a bundle for the server. */
function programFile(): string {
  if (import.meta.filename.endsWith('.ts')) return join(import.meta.dirname, 'main.ts');
  return projectFile('dist/server/registry-gate.js');
}

/** The path of the next page, which a list tells by `<URL>; rel="next"` (RFC 8288; distribution-spec, "Listing Tags"). */
export function nextPage(link: string | null): string | undefined {
  const [start, end] = [link?.indexOf('<') ?? -1, link?.indexOf('>') ?? -1];
  if (!link || start < 0 || end < start || !/;\s{0,8}rel="?next"?/.test(link.slice(end + 1)))
    return undefined;
  const target = link.slice(start + 1, end);
  // Only the path counts: the registry is where it is.
  const url = URL.canParse(target, 'http://registry') ? new URL(target, 'http://registry') : undefined;
  return url?.pathname.startsWith('/v2/') ? url.pathname + url.search : undefined;
}

/** Lines of a program, of bounded length. Each byte is looked at once. */
async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    let from = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      yield Buffer.concat([...parts, chunk.subarray(from, end)]).toString('utf8');
      [parts, length, from] = [[], 0, end + 1];
    }
    parts.push(chunk.subarray(from));
    length += chunk.length - from;
    if (length > MAX_LINE) throw new ExternalError(['registry-gate'], null, 'it says too much at once');
  }
}
