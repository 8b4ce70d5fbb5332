/** The typed client of the contract, on the server's Unix socket. */
import { createORPCClient } from '@orpc/client';
import { StandardRPCLink } from '@orpc/client/standard';
import type { Client } from '@walt/contract';
import { RPC_PREFIX } from '@walt/contract/values';
import { type KnownCredentials, openCredentials } from './credentials.ts';
import { serverFolder, socketPath } from './paths.ts';
import { type Credentials, SocketLinkClient } from './transport.ts';
import { requireTrustedSocket } from './trust.ts';

export interface Connection {
  client: Client;
  credentials: KnownCredentials;
  socket: string;
}

/** Opens no connection yet: the first call does. Throws AbortError when the socket is not to be trusted. */
export function connect(): Connection {
  const socket = socketPath();
  requireTrustedSocket(socket);
  const auth = makeClient(socket).auth;
  const credentials = openCredentials(auth, socket, serverFolder());
  return { client: makeClient(socket, credentials), credentials, socket };
}

function makeClient(socket: string, credentials?: Credentials): Client {
  const link = new StandardRPCLink(new SocketLinkClient(socket, credentials), {
    url: `http://walt${RPC_PREFIX}`,
  });
  return createORPCClient<Client>(link);
}
