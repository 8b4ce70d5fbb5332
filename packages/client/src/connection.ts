/** The typed client of the contract, on the server's Unix socket. */
import { createORPCClient } from '@orpc/client';
import { StandardRPCLink } from '@orpc/client/standard';
import type { Client } from '@walt/contract';
import { RPC_PREFIX } from '@walt/contract/values/wire';
import { type KnownCredentials, openCredentials } from './credentials.ts';
import { serverFolder, socketPath } from './paths.ts';
import { type Credentials, SocketLinkClient } from './transport.ts';
import { requireTrustedSocket } from './trust.ts';

/** A way to one server, in the caller's name. */
export interface Connection {
  /** Each call of the contract, by its name there: `connection.client.node.list({ set: 'my-nodes' })`. */
  client: Client;
  credentials: KnownCredentials;
  /** Path of the server's socket. */
  socket: string;
}

/**
 * The server at `socket`; by default that of WALT_SOCKET, or of this machine. Opens no connection yet: the first call does. Throws
 * AbortError when the socket is not to be trusted.
 */
export function connect(socket: string = socketPath()): Connection {
  requireTrustedSocket(socket);
  const auth = makeClient(socket).auth;
  const credentials = openCredentials(auth, socket, serverFolder(socket));
  return { client: makeClient(socket, credentials), credentials, socket };
}

function makeClient(socket: string, credentials?: Credentials): Client {
  const link = new StandardRPCLink(new SocketLinkClient(socket, credentials), {
    url: `http://walt${RPC_PREFIX}`,
  });
  return createORPCClient<Client>(link);
}
