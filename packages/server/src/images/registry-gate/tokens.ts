/** How we prove to a registry who we are: the password itself, or a token for which it sends us elsewhere. */
import type { IncomingMessage } from 'node:http';
import { belongs, isDowngrade } from './belonging.ts';
import { type Challenge, parseChallenges } from './challenge.ts';
import { GateError } from './failure.ts';
import { readSmall } from './patience.ts';
import type { Order } from './protocol.ts';

/** Bytes of an answer with a token. */
const TOKEN_ANSWER = 1024 * 1024;
/** Seconds for which a token counts that does not say it (distribution's "Token Authentication Specification"). */
const TOKEN_LIFE = 60;
/** Seconds before its end in which a token is not used any more. */
const TOKEN_REST = 10;

type Send = (url: URL, headers: Record<string, string>) => Promise<IncomingMessage>;

/** Headers `Authorization` for one registry, by what they are good for. */
export class Tokens {
  readonly #order: Order;
  readonly #send: Send;
  readonly #headers = new Map<string, { header: string; until: number }>();
  /** What the registry last asked for, by purpose. */
  readonly #demands = new Map<string, string>();

  /** `send` asks a host once, and follows nothing. */
  constructor(order: Order, send: Send) {
    this.#order = order;
    this.#send = send;
  }

  /** What to send along; undefined: nothing yet. `purpose` is any name for what a header is good for. */
  header(purpose: string): string | undefined {
    const known = this.#headers.get(purpose);
    return known && known.until > Date.now() ? known.header : undefined;
  }

  /**
   * Does what the registry asks for. False when nothing more can be done: then its refusal stands. Throws GateError when it asks for
   * what is not safe. `sent`: the header that was refused; another request may have got a better one meanwhile.
   */
  async answer(
    authenticate: string | undefined,
    purpose: string,
    sent: string | undefined,
  ): Promise<boolean> {
    if (authenticate !== undefined) this.#demands.set(purpose, authenticate);
    const challenges = parseChallenges(authenticate ?? '');
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer) return this.#fetch(bearer, purpose);
    if (!challenges.some(({ scheme }) => scheme === 'basic')) return false;
    const header = this.#basic();
    if (header === undefined || sent === header) return false;
    this.#headers.set(purpose, { header, until: Number.POSITIVE_INFINITY });
    return true;
  }

  /** As `header`; a token that has come to its end is asked for again: for a request that cannot be sent twice. Throws as `answer`. */
  async freshHeader(purpose: string): Promise<string | undefined> {
    const demand = this.#demands.get(purpose);
    if (this.header(purpose) === undefined && demand !== undefined) {
      await this.answer(demand, purpose, undefined);
    }
    return this.header(purpose);
  }

  async #fetch({ parameters }: Challenge, purpose: string): Promise<boolean> {
    const { origin } = this.#order;
    const realm = parameters.get('realm') ?? '';
    const url = URL.canParse(realm) ? new URL(realm) : undefined;
    if (!url) throw new GateError('bad-answer', 'no realm');
    if (isDowngrade(url, origin)) throw new GateError('downgrade', url.host);
    for (const name of ['service', 'scope']) {
      const value = parameters.get(name);
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const password = this.#basic();
    // Whoever has no password may be sent anywhere that is not on our own networks.
    if (password !== undefined && !belongs(url, this.#order)) {
      throw new GateError('foreign-realm', url.host);
    }
    const response = await this.#send(url, password === undefined ? {} : { authorization: password });
    const { statusCode: status = 0 } = response;
    const bounds = { limit: TOKEN_ANSWER, silence: this.#order.silence, host: url.host };
    const text = (await readSmall(response, bounds)).toString('utf8');
    if (status === 400 || status === 401 || status === 403) throw new GateError('unauthorized', status);
    if (status !== 200) throw new GateError('status', status);
    const { token, life } = readToken(text);
    this.#headers.set(purpose, {
      ...{ header: `Bearer ${token}`, until: Date.now() + (life - TOKEN_REST) * 1000 },
    });
    return true;
  }

  #basic(): string | undefined {
    const { credentials } = this.#order;
    if (!credentials) return undefined;
    const { username, password } = credentials;
    return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
  }
}

/** Throws GateError for what holds no token that a header could carry. */
function readToken(text: string): { token: string; life: number } {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw new GateError('bad-answer', 'token');
  }
  const field = (name: string) => (data as Record<string, unknown> | null)?.[name];
  const token = field('token') ?? field('access_token');
  if (typeof token !== 'string' || !/^[\x21-\x7e]{1,65536}$/.test(token)) {
    throw new GateError('bad-answer', 'token');
  }
  const life = field('expires_in');
  return { token, life: typeof life === 'number' && life > TOKEN_LIFE ? Math.min(life, 86_400) : TOKEN_LIFE };
}
