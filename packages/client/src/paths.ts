/** Where the client finds the server and keeps its own files (XDG base directory specification). */
import { homedir } from 'node:os';
import { join } from 'node:path';

export const DEFAULT_SOCKET = '/run/walt/walt.sock';

export function socketPath(): string {
  return process.env.WALT_SOCKET || DEFAULT_SOCKET;
}

/** A relative XDG path is invalid and must be ignored (XDG specification, "Environment variables"). */
function xdg(value: string | undefined, fallback: string): string {
  return value?.startsWith('/') ? value : join(homedir(), fallback);
}

export function cacheFolder(): string {
  return join(xdg(process.env.XDG_CACHE_HOME, '.cache'), 'walt');
}

export function configFolder(): string {
  return join(xdg(process.env.XDG_CONFIG_HOME, '.config'), 'walt');
}

/**
 * Folder of what one server told us: token, certificates, host authority. Named by the socket's path, which
 * has at most 107 bytes (unix(7)), so its base64 fits in a file name, and costs no hash at start-up.
 */
export function serverFolder(socket: string): string {
  return join(cacheFolder(), `server-${Buffer.from(socket).toString('base64url')}`);
}
