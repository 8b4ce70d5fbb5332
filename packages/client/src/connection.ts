/** The typed client of the contract, on a way to one server. */
import { createORPCClient } from '@orpc/client';
import { StandardRPCLink } from '@orpc/client/standard';
import type { Client } from '@walt/contract';
import { RPC_PREFIX } from '@walt/contract/values/wire';
import { type KnownCredentials, openCredentials } from './credentials.ts';
import { localRoute } from './local.ts';
import { serverFolder } from './paths.ts';
import { type Place, placeName, requireServerHere, usualPlace } from './place.ts';
import { proveByFile } from './proof.ts';
import { remoteWay } from './remote/route.ts';
import { type Credentials, type Route, ServerLinkClient } from './transport.ts';
import { requireTrustedSocket } from './trust.ts';

/** A way to one server, in the caller's name. */
export interface Connection {
  /** Each call of the contract, by its name there: `connection.client.node.list({ set: 'my-nodes' })`. */
  client: Client;
  credentials: KnownCredentials;
  route: Route;
}

export interface ConnectOptions {
  /** True: nobody is there to answer what ssh may ask, or to wait long. */
  quiet?: boolean;
}

/**
 * The server at that place, or behind that socket; by default the one that `usualPlace` tells. Opens no connection yet: the first
 * call does. Throws AbortError when the socket is not to be trusted, or when there is no server to be asked.
 */
export function connect(where: Place | string = usualPlace(), options: ConnectOptions = {}): Connection {
  const place = typeof where === 'string' ? { socket: where } : where;
  const folder = serverFolder(placeName(place));
  if ('ssh' in place) {
    const { route, prove } = remoteWay(place.ssh, folder, options);
    return connection(route, openCredentials(folder, prove));
  }
  const { socket } = place;
  requireServerHere(socket);
  requireTrustedSocket(socket);
  const route = localRoute(socket);
  return connection(
    route,
    openCredentials(folder, () => proveByFile(makeClient(route).auth, socket)),
  );
}

function connection(route: Route, credentials: KnownCredentials): Connection {
  return { client: makeClient(route, credentials), credentials, route };
}

function makeClient(route: Route, credentials?: Credentials): Client {
  const link = new StandardRPCLink(new ServerLinkClient(route, credentials), {
    url: `http://walt${RPC_PREFIX}`,
  });
  return createORPCClient<Client>(link);
}
