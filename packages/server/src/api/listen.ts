import { chmod, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { imageFiles, RPC_PREFIX } from '@walt/contract';
import { hasErrno, type Paths, UserError } from '../platform/index.ts';
import { toApiError } from './errors.ts';
import { bearerToken, sendError } from './http.ts';
import { serveImageFiles } from './image-files.ts';
import { createRpcHandler } from './rpc.ts';
import type { Services } from './services.ts';
import { type StreamOptions, Streams } from './streams.ts';

/** Bytes of a request's head: it carries commands of `image run`, each of their characters as up to nine. */
const MAX_HEAD = 512 * 1024;

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
  options: StreamOptions = {},
): Promise<Api> {
  const { log } = services;
  await removeStaleSocket(paths.socket);
  const rpc = createRpcHandler(services);
  const streams = new Streams(services, options);

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '/', 'http://walt');
    if (url.pathname === imageFiles.path) return await serveImageFiles(services, url, request, response);
    const context = { token: bearerToken(request) };
    const { matched } = await rpc.handle(request, response, { prefix: RPC_PREFIX, context });
    if (!matched) {
      const hint = 'Use a walt client of the same version as the server.';
      throw new UserError('NOT_FOUND', `The server knows no call ${JSON.stringify(url.pathname)}.`, hint);
    }
  };

  const server = createServer({ maxHeaderSize: MAX_HEAD }, (request, response) => {
    answer(request, response).catch((error) => {
      if (response.headersSent || response.destroyed) response.destroy();
      else sendError(response, toApiError(error, log));
    });
  });
  // An image may take longer to come in than the default of 5 minutes.
  server.requestTimeout = 0;
  server.on('upgrade', (request, socket, head) => streams.upgrade(request, socket, head));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(paths.socket, resolve);
  });
  await chmod(paths.socket, 0o666);

  return {
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      streams.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A server that was killed leaves its socket behind; one that lives answers on it. */
async function removeStaleSocket(path: string): Promise<void> {
  const alive = await new Promise<boolean>((resolve, reject) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error) => {
      if (hasErrno(error, 'ENOENT', 'ECONNREFUSED')) resolve(false);
      else reject(error);
    });
  });
  if (alive) {
    throw new UserError(
      'CONFLICT',
      `A walt server is already running: it answers on ${path}.`,
      'Stop it first (`walt-server stop`), or give this one another runtime folder in its configuration.',
    );
  }
  await rm(path, { force: true });
}
