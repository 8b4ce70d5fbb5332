import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ZodType } from 'zod';
import { type ApiError, invalidInput, unreadableRequest } from './errors.ts';

/** The token in `authorization: Bearer TOKEN` (RFC 6750, 2.1). */
export function bearerToken(request: IncomingMessage): string | undefined {
  return /^Bearer ([A-Za-z0-9._~+/-]+=*)$/i.exec(request.headers.authorization ?? '')?.[1];
}

/** Throws INVALID for what is no path. */
export function parseUrl(request: IncomingMessage): URL {
  const url = URL.parse(request.url ?? '/', 'http://walt');
  if (url === null) throw unreadableRequest();
  return url;
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
