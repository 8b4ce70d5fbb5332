import { chmod, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { CONTRACT_HEADER, CONTRACT_TEXT, RPC_PREFIX } from '@walt/contract';
import type { Caller } from '../../access/index.ts';
import {
  defaultLimits,
  dial,
  HttpListener,
  hasErrno,
  type Limits,
  type Paths,
  type Reason,
  type Refusal,
  UserError,
} from '../../platform/index.ts';
import { toApiError } from '../errors.ts';
import { bearerToken, parseUrl, readJson, requireContract, requirePlainValues, sendError } from '../http.ts';
import type { Services } from '../services.ts';
import { Shares } from '../shares.ts';
import { Streams } from '../streams/index.ts';
import { plainRoutes } from './plain-routes.ts';
import { createRpcHandler } from './rpc.ts';

/** Bytes of a request's head: it carries commands of `image run`, each of their characters as up to nine. */
const MAX_HEAD = 512 * 1024;

/** Bytes of a call's body; ten thousand node names of 63 characters fit. */
const MAX_BODY = 1024 * 1024;

export interface ApiOptions {
  limits?: Limits;
  /** Milliseconds between two heartbeats of a stream; default 30 s. */
  heartbeat?: number;
}

export interface Api {
  /** Ends all connections and removes the socket. */
  close(): Promise<void>;
}

/**
 * Serves the API on the platform's Unix socket, which everybody may connect to: who calls is proven by token.
 * Throws UserError CONFLICT when another server answers there; takes over the socket of one that died.
 */
export async function listen(
  services: Services,
  paths: Pick<Paths, 'socket'>,
  { limits = defaultLimits(), ...options }: ApiOptions = {},
): Promise<Api> {
  const { log } = services;
  await removeStaleSocket(paths.socket);
  const calls = new Shares('calls', limits.callsPerUser);
  const rpc = createRpcHandler(services);
  const plain = plainRoutes(services);
  const streams = new Streams(services, new Shares('streams', limits.streamsPerUser), {
    ...options,
    keep: (request) => listener.keep(request),
    release: (request) => listener.release(request),
  });

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    response.setHeader(CONTRACT_HEADER, CONTRACT_TEXT);
    requireContract(request);
    const url = parseUrl(request);
    const context = {
      token: bearerToken(request),
      enter: (user: string) => {
        calls.takeFor(user, response);
        listener.keep(request);
      },
      origin: ({ uid }: Caller) => services.origins.of(request.socket, uid),
    };
    const serve = plain.get(url.pathname);
    if (serve) return await serve({ context, url, request, response });
    const body = await readJson(request, MAX_BODY);
    requirePlainValues(body);
    const call = Object.assign(request, { body });
    const { matched } = await rpc.handle(call, response, { prefix: RPC_PREFIX, context });
    if (!matched) {
      const hint = 'Use a walt client of the same version as the server.';
      throw new UserError('NOT_FOUND', `The server knows no call ${JSON.stringify(url.pathname)}.`, hint);
    }
  };

  const listener = new HttpListener({
    ...{ name: 'API', log, limits: limits.clients, maxHead: MAX_HEAD, strangers: true },
    answer,
    failed: (error, response) => sendError(response, toApiError(error, log)),
    upgrade: (request, socket, head) => streams.upgrade(request, socket, head),
    refusal,
    // An image takes as long as it takes to come in.
    streamed: (request) => plain.has(URL.parse(request.url ?? '/', 'http://walt')?.pathname ?? ''),
  });
  await listener.listen({ path: paths.socket });
  await chmod(paths.socket, 0o666);

  return {
    close: async () => {
      const closed = listener.close();
      streams.close();
      await closed;
    },
  };
}

/** For a connection of which nothing was read, or not all. */
function refusal(reason: Reason): Refusal {
  const [message, hint] =
    reason === 'slow'
      ? ['The request did not come in time.', 'Repeat the command.']
      : [
          'The server has as many connections as it takes.',
          'Repeat the command a little later; `limits:` in server.conf tells how many may be.',
        ];
  const error = { code: reason === 'slow' ? 'TIMEOUT' : 'UNAVAILABLE', message, data: { hint } };
  const status = reason === 'slow' ? 408 : 503;
  // As plain requests get it, and, in `json`, as oRPC's client expects it.
  const text = JSON.stringify({ ...error, json: { defined: true, status, ...error } });
  return { status, type: 'application/json', text };
}

/** A server that was killed leaves its socket behind; one that lives answers on it. */
async function removeStaleSocket(path: string): Promise<void> {
  const alive = await dial({ path }).then(
    (probe) => {
      probe.destroy();
      return true;
    },
    (error) => {
      if (hasErrno(error, 'ENOENT', 'ECONNREFUSED')) return false;
      throw error;
    },
  );
  if (alive) {
    throw new UserError(
      'CONFLICT',
      `A walt server is already running: it answers on ${path}.`,
      'Stop it first (`walt-server stop`), or give this one another runtime folder in its configuration.',
    );
  }
  await rm(path, { force: true });
}
