/** The way to a server of this machine: its Unix socket. */
import { AbortError, hasCode } from './errors.ts';
import type { Route } from './transport.ts';

export function localRoute(socketPath: string): Route {
  return {
    name: socketPath,
    options: { socketPath },
    failure: (error) => {
      if (hasCode(error, 'ENOENT') || hasCode(error, 'ECONNREFUSED')) {
        return new AbortError(
          'UNAVAILABLE',
          `Cannot reach the WalT server at ${socketPath}.`,
          'Start it with `sudo walt-server start`, or set WALT_SOCKET to the socket of another one.',
        );
      }
      if (hasCode(error, 'EACCES')) {
        return new AbortError(
          'FORBIDDEN',
          `You may not open the WalT server's socket ${socketPath}.`,
          'Ask its administrator to let you in.',
        );
      }
      if (hasCode(error, 'ECONNRESET') || hasCode(error, 'EPIPE')) return lost();
      return error;
    },
    lost,
  };
}

function lost(): AbortError {
  return new AbortError(
    'UNAVAILABLE',
    'The connection to the WalT server was lost.',
    'See `sudo walt-server status`, then repeat the command.',
  );
}
