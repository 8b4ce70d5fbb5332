/** Where the client finds the server and keeps its own files (XDG base directory specification). */
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const DEFAULT_SOCKET = '/run/walt/walt.sock';

type Environment = Record<string, string | undefined>;

export function socketPath(env: Environment = process.env): string {
  return env.WALT_SOCKET || DEFAULT_SOCKET;
}

/** A relative XDG path is invalid and must be ignored (XDG specification, "Environment variables"). */
function xdg(value: string | undefined, fallback: string): string {
  return value?.startsWith('/') ? value : join(homedir(), fallback);
}

export function cacheFolder(env: Environment = process.env): string {
  return join(xdg(env.XDG_CACHE_HOME, '.cache'), 'walt');
}

export function configFolder(env: Environment = process.env): string {
  return join(xdg(env.XDG_CONFIG_HOME, '.config'), 'walt');
}

/**
 * Folder of what one server told us: token, certificates, host authority. Named by the socket's path, which
 * has at most 107 bytes (unix(7)), so its base64 fits in a file name, and costs no hash at start-up.
 */
export function serverFolder(env: Environment = process.env): string {
  return join(cacheFolder(env), `server-${Buffer.from(socketPath(env)).toString('base64url')}`);
}

/** The checkout that this program runs from: the bundle is `CHECKOUT/dist/walt/…/*.js`. */
export function checkoutFolder(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const bundle = here.lastIndexOf('/dist/walt');
  return bundle === -1 ? join(here, '../../../..') : here.slice(0, bundle);
}

/** The launcher, by the absolute path under which other programs (ssh) can start it. */
export function launcher(): string {
  return join(checkoutFolder(), 'walt');
}
