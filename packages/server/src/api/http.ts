import type { IncomingMessage, ServerResponse } from 'node:http';
import { CONTRACT, CONTRACT_HEADER, CONTRACT_TEXT, olderSide, parseContract } from '@walt/contract';
import type { ZodType } from 'zod';
import { UserError } from '../platform/index.ts';
import { type ApiError, invalidInput, unreadableRequest } from './errors.ts';

/** The token in `authorization: Bearer TOKEN` (RFC 6750, 2.1). */
export function bearerToken(request: IncomingMessage): string | undefined {
  return /^Bearer ([A-Za-z0-9._~+/-]+=*)$/i.exec(request.headers.authorization ?? '')?.[1];
}

/** Throws VERSION for a client that speaks another contract than this server: nothing else of its request is looked at. */
export function requireContract(request: IncomingMessage): void {
  const told = parseContract(request.headers[CONTRACT_HEADER]);
  if (told?.major === CONTRACT.major) return;
  const older = told && olderSide(told, CONTRACT) === 'client';
  const version = told ? `${told.major}.${told.minor}` : 'that there is not';
  throw new UserError(
    'VERSION',
    `Your walt speaks version ${version} of its contract, this server version ${CONTRACT_TEXT}.`,
    older ? 'Upgrade walt on your machine.' : 'Ask the administrator of the server to upgrade it.',
  );
}

/** Throws INVALID for what is no path. */
export function parseUrl(request: IncomingMessage): URL {
  const url = URL.parse(request.url ?? '/', 'http://walt');
  if (url === null) throw unreadableRequest();
  return url;
}

/**
 * The JSON that a call carries; undefined: nothing. Read here and not by oRPC, which takes many more kinds of bodies, and whose own
 * limit throws out of the event of a body that nobody awaits. Throws INVALID for what is too large or no JSON.
 */
export function readJson(request: IncomingMessage, limit: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const refuse = () => {
      request.off('data', take);
      // The rest is dropped: a client that still writes would not see the answer.
      request.resume();
      reject(new UserError('INVALID', 'The request is too large.', 'Split it: name fewer things at a time.'));
    };
    const take = (chunk: Buffer) => {
      length += chunk.length;
      if (length > limit) refuse();
      else chunks.push(chunk);
    };
    if (Number(request.headers['content-length']) > limit) return refuse();
    request.on('data', take);
    request.once('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      try {
        resolve(text === '' ? undefined : JSON.parse(text));
      } catch {
        reject(unreadableRequest());
      }
    });
    request.once('close', () => reject(unreadableRequest()));
  });
}

/** What `meta` of a call calls a field without a value (oRPC's RPC protocol). */
const UNDEFINED = 3;

/**
 * Throws INVALID for a call with values that JSON has not, which the contract knows none of: a regular expression of a user's, say,
 * would be compiled where nobody expects it to fail.
 */
export function requirePlainValues(body: unknown): void {
  const { meta = [] } = (body ?? {}) as { meta?: unknown };
  const isPlain = Array.isArray(meta) && meta.every((one) => Array.isArray(one) && one[0] === UNDEFINED);
  if (!isPlain) throw unreadableRequest();
}

/** A URL's query, checked. Throws INVALID that names the parameter and its rule. */
export function parseQuery<T>(schema: ZodType<T>, url: URL): T {
  const query = Object.fromEntries(url.searchParams);
  const result = schema.safeParse(query);
  if (!result.success) throw invalidInput(result.error.issues, query);
  return result.data;
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

/** Answers `{ code, message, data: { hint } }`, the form that calls' errors have, too. */
export function sendError(response: ServerResponse, error: ApiError): void {
  sendJson(response, error.status, error.toJSON());
}
